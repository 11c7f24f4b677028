"""Metrics of LongBench, official and mended, and their averages."""
