"""Looking into it: what a method kept, how even the clusters are, what a stored index holds."""
