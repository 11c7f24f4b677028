"""From scores to kept rows: the rules, what a choice is, and the protocol of what chooses."""
