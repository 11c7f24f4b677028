"""All injuries by name: what does it, and how many times as many tries it gets."""

from tests.injuries import paid, runs, sweeps

INJURIES = {**paid.INJURIES, **runs.INJURIES, **sweeps.INJURIES}
