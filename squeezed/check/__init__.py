"""Whether the engine reproduces a model exactly: of one model, of its configuration, of all known types."""
