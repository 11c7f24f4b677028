"""The studies by name; a new one is one file here with one ``Study``, and its experiment in ``conf``."""

from bench.reporting.studies.base import Study
from bench.reporting.studies.budgets import BUDGETS
from bench.reporting.studies.hierarchy import HIERARCHY
from bench.reporting.studies.transfer import TRANSFER

STUDIES: dict[str, Study] = {study.name: study for study in (BUDGETS, HIERARCHY, TRANSFER)}

__all__ = ["STUDIES", "Study"]
