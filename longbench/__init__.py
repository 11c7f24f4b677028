"""LongBench: rows from its files, prompts, metrics."""
