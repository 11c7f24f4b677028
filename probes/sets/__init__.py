"""The sets, a file each."""
