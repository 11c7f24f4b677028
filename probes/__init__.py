"""Made data sets that each test one thing, with many questions on one context (docs/datasets.md)."""
