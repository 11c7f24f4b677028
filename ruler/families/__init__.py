"""The task families of RULER: what a sample of each lays out, and how it is drawn."""
