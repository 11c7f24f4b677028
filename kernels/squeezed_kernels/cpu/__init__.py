"""The cpu backend: loops over ranges of rows, compiled by Numba."""
