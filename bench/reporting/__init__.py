"""From records to the paper: pooled cells, studies (a table and a figure each), LaTeX, a page."""
