"""Settings: their schemas, and the frozen specification of a run that they become."""
