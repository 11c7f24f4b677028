"""The command line: what is asked for, checked once, and said in words."""
