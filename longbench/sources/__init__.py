"""Where LongBench rows come from: official archives, local files, the second version."""
