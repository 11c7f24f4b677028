"""Runs in processes of their own, through Hydra's launchers: joblib, submitit (SLURM) and Ray.

Presets (conf/hydra/launcher), with ``-m``: ``hydra/launcher=processes``, ``slurm``, ``slurm_large``,
``local_jobs`` or ``ray_processes``.

Hydra would start one job for each point of a sweep. Here every point is composed and checked first, in
this process, as without a launcher; runs that are finished are left out; the rest is grouped, so that all
runs on the same contexts are one job; and the launcher gets the groups.
"""

from bench.launch.asked import Asked, ComposeHere, asked, elsewhere, forget, note
from bench.launch.extras import hint
from bench.launch.groups import grouped
from bench.launch.start import start

__all__ = [
    "Asked",
    "ComposeHere",
    "asked",
    "elsewhere",
    "forget",
    "grouped",
    "hint",
    "note",
    "start",
]
