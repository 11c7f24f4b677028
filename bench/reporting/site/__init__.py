"""The leaderboard as one page that filters itself: no server, no network, rows with what they are from."""
