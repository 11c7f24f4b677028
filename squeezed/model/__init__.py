"""Keys, values and queries from a model: which models are supported, the attention they run, the prefill."""
