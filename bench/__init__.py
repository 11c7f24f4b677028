"""The app: runs of tasks under methods, their records, tables and figures, timings."""
