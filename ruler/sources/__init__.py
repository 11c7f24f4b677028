"""What RULER takes from elsewhere: words, essays, questions over documents, the original wording."""
