"""Runs: a task's questions, prepared contexts, answers, and lists of runs."""
