"""Means, their intervals, and comparisons of cells."""
