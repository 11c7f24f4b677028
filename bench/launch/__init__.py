"""Runs in processes of their own, through Hydra's launchers: joblib, submitit (SLURM) and Ray.

Presets (conf/hydra/launcher), with ``-m``: ``hydra/launcher=processes``, ``slurm``, ``slurm_large``,
``local_jobs`` or ``ray_processes``.

Every point of a sweep is composed and checked first, in this process, as without a launcher; runs that are
finished are left out; the rest is grouped, so that all runs on the same contexts are one job; and the
launcher gets the groups.
"""
