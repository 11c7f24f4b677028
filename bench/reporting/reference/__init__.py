"""Reference studies: committed records, and the tables and figures that are remade from them.

A study is a folder ``results/reference/NAME``: ``records.parquet``, and made from it ``table.csv``,
``table.md``, ``figure.png`` and the facts in ``README.md``. The rest of the README is written by hand.
"""

from bench.reporting.reference.packed import pack, read_runs
from bench.reporting.reference.write import REFERENCE, remake, studies

__all__ = ["REFERENCE", "pack", "read_runs", "remake", "studies"]
