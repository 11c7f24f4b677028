"""The leaderboard: a row a run, checked and merged."""
