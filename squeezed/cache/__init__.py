"""The cache of conversations on a fixed context: its layers, their attention, and what they read."""
