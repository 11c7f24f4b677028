"""EleutherAI's lm-evaluation-harness: the model ``squeezed``, which answers its tasks at a given KV budget.

Only ``model`` and ``door`` import the harness, which is the extra ``lm-eval``.
"""
