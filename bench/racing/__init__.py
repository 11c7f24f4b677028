"""Which method keeps a model's answers at the smallest size: a race of candidates, and what it came to."""
