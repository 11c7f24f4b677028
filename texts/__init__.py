"""Real text for haystacks and documents: taken from packages when asked for, never committed."""
