"""The ``openai`` backend: a model proposes pairs, and checks by rule and by model decide."""
