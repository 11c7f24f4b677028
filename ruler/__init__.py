"""RULER, generated anew: tasks, rows, scores (README.md beside this file)."""
