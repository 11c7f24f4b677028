"""Real documents: reading, cleaning, filtering."""
