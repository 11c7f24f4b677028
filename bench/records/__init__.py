"""What a run leaves behind: files of records, where they come from, what failed."""
