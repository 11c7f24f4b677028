"""What a finished set consists of on disk."""
