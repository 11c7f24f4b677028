"""The studies by name; a new one is one file here with one ``Study``, and its experiment in ``conf``."""

from bench.reporting.studies.base import Study
from bench.reporting.studies.budgets import BUDGETS
from bench.reporting.studies.curves import CENTROIDS, RULES, WINDOW
from bench.reporting.studies.hierarchy import HIERARCHY
from bench.reporting.studies.sample_size import SAMPLE_SIZE
from bench.reporting.studies.scaling import COST, SCALING
from bench.reporting.studies.transfer import TRANSFER

ALL = (BUDGETS, RULES, HIERARCHY, TRANSFER, CENTROIDS, WINDOW, SCALING, COST, SAMPLE_SIZE)
STUDIES: dict[str, Study] = {study.name: study for study in ALL}

__all__ = ["STUDIES", "Study"]
