"""What the sets are written with: names, words, codes, filler prose, questions with options, associations."""
