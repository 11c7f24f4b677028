"""A fixed context as data, its token ids, and what is derived from it."""
