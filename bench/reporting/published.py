"""Figures of the Squeezed Attention paper that ours stand beside, always marked as published.

Only what is known for sure is here; whoever has the paper at hand may add the rest.
"""

LONGBENCH_SOURCE = (
    "Published, not measured here: Hooper et al., ACL 2025, Table 2, LongChat-7B-v1.5-32K; to be "
    "compared only with rows of that model under the official prompts"
)
# Scores in points; the KV budget is the paper's.
LONGBENCH: tuple[dict[str, str | float], ...] = (
    {"row": "All KV", "kv_budget": 1.000, "lcc": 56.64, "repobench-p": 53.20},
    {"row": "Sq-70%", "kv_budget": 0.325, "lcc": 56.93, "repobench-p": 54.64},
    {"row": "Sq-80%", "kv_budget": 0.225, "lcc": 57.17, "repobench-p": 52.83},
    {"row": "Sq-90%", "kv_budget": 0.125, "lcc": 56.95, "repobench-p": 51.57},
    {"row": "H-Sq-90%", "kv_budget": 0.122, "lcc": 57.20, "repobench-p": 51.89},
)
