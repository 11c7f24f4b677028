"""``squeezed-bench lookups``: what finding keys costs, beside a dense step."""
