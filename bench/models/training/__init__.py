"""How the embedded model was made: its data, its fitted heads, its training."""
