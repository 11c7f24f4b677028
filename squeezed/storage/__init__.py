"""A context on disk: manifest, tensors, checks, writing and reading."""
