"""``squeezed-bench memory``: what a context takes of memory while it is prepared, and of the disk."""
