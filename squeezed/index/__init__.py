"""A layer's clusters as an index: settings, levels, how it is built, the spread of coarse clusters."""
