"""What all data sets share: the row contract, frames, token counts, the command line of a generator."""
