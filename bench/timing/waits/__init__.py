"""``squeezed-bench timing``: how long a user waits for a token, a question and a context, ours beside
transformers' own."""
