"""Rows as a CSV table."""

import pytest

from squeezed.diagnostics.table import write_csv


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = write_csv([{"a": 1}], tmp_path / "table.csv")
    before = path.read_bytes()
    for rows, message in (([], "no row"), ([{"a": 1}, {"b": 2}], r"row 1 has columns \['b'\]")):
        with pytest.raises(ValueError, match=message):
            write_csv(rows, path)

    class Unprintable:
        def __str__(self):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_csv([{"a": 1}, {"a": Unprintable()}], path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["table.csv"]
