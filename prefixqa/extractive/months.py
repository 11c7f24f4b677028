"""Months, which are no names and are a part of dates."""

MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
