"""Prompts of LongBench: their wording, chat templates, truncation, answer lengths."""
