"""How much of real documents is left when they are read and cleaned: ``python -m tests.documents``."""
