"""Reference studies: records are packed without loss, and tables are remade byte by byte."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.cli import reference as command
from bench.config.errors import InputError
from bench.reporting.leaderboard.rows import load_runs
from bench.reporting.reference import pack, read_runs, remake
from bench.reporting.reference.makers import make
from bench.reporting.reference.packed import read_rows, write_rows
from bench.timing.kernels.table import FIELDS, Table
from tests.bench.reporting.conftest import FULL, squeezed

ROOT = Path(__file__).resolve().parents[3]
COMMITTED = ROOT / "results" / "reference"
STUDIES = sorted(path.parent.name for path in COMMITTED.glob("*/records.parquet"))
FILES = ("README.md", "table.csv", "table.md")

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
rows = st.lists(
    st.dictionaries(st.sampled_from("abcd"), values, min_size=1), min_size=1, max_size=5
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows)
def test_rows_come_back_as_they_were(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    back = read_rows(write_rows(rows, tmp_path / "packed.parquet"))
    # As text: 1 and 1.0 and True are equal, and are not the same record.
    assert [json.dumps(row, sort_keys=True) for row in back] == [
        json.dumps(row, sort_keys=True) for row in rows
    ]


def test_packed_runs_are_the_runs(tmp_path: Path, write_run: Any) -> None:
    for method in (FULL, squeezed(sparsity=0.9)):
        write_run(method, length=2048)
    runs = tmp_path / "runs"
    loaded = load_runs(runs)
    path = pack(runs, [folder for *_, folder in loaded], tmp_path / "records.parquet")
    back = read_runs(path)
    assert [(identity, folder) for identity, _, folder in back] == [
        (identity, folder) for identity, _, folder in loaded
    ]
    for (_, ours, _), (_, theirs, _) in zip(back, loaded, strict=True):
        pd.testing.assert_frame_equal(ours, theirs)


def test_few_tasks_have_a_column_each_and_their_mean(tmp_path: Path, write_run: Any) -> None:
    for subtask, scores in (("niah_single_1", (1, 1, 1, 1)), ("niah_multikey_1", (1, 0, 0, 0))):
        write_run(FULL, length=2048, subtask=subtask)
        write_run(squeezed(sparsity=0.9), scores, length=2048, subtask=subtask, budget=0.2)
    runs = tmp_path / "runs"
    records = pack(runs, [folder for *_, folder in load_runs(runs)], tmp_path / "records.parquet")
    full, ours = make("methods", records).narrow.to_dict("records")
    assert (full["method"], full["read"], full["mean"]) == ("full", 1.0, 0.75)
    assert (ours["read"], ours["niah_single_1"], ours["niah_multikey_1"]) == (0.2, 1.0, 0.25)
    assert ours["mean"] == 0.625


def test_folders_of_the_machine_are_left_out(tmp_path: Path, write_run: Any) -> None:
    run = write_run(FULL, length=2048)
    path = run / "records.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    config = {"results": "/home/me/results", "cache_dir": "/home/me/cache", "batch_size": 2}
    for record in records:
        record["provenance"] = {"commit": "abc", "config": config}
        record.pop("check", None)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    packed = pack(
        tmp_path / "runs", [run.relative_to(tmp_path / "runs").as_posix()], tmp_path / "p"
    )
    rows = read_rows(packed)
    assert {json.dumps(row["provenance"]) for row in rows} == {
        '{"commit": "abc", "config": {"batch_size": 2}}'
    }


def test_no_run_or_another_file_is_one_line(tmp_path: Path, write_run: Any) -> None:
    write_run(FULL, length=2048)
    with pytest.raises(InputError, match="no run"):
        pack(tmp_path / "runs", [], tmp_path / "records.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "records.parquet")
    with pytest.raises(InputError, match="no packed records"):
        read_runs(tmp_path / "records.parquet")


def test_there_are_studies() -> None:
    assert {"needles", "kernels"} <= set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_tables_are_remade_byte_by_byte(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy(COMMITTED / name / "records.parquet", folder)
    shutil.copy(COMMITTED / name / "README.md", folder)
    remake(folder)
    for file in FILES:
        assert (folder / file).read_bytes() == (COMMITTED / name / file).read_bytes(), file


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_its_question_its_answer_and_its_command(name: str) -> None:
    page = (COMMITTED / name / "README.md").read_text(encoding="utf-8")
    assert "(write it here" not in page
    assert "(the command" not in page
    answer = page.split("**Answer.**")[1].split("\n\n")[0]
    # A number of the answer stands in the table below it.
    table = (COMMITTED / name / "table.md").read_text() + (
        COMMITTED / name / "table.csv"
    ).read_text()
    for number in pd.Series(answer).str.findall(r"\d+\.\d+")[0]:
        assert number in table, number


def test_the_command_needs_a_group_that_exists(
    tmp_path: Path, write_run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(FULL, length=2048)
    where = [f"results={tmp_path}", f"reference={tmp_path / 'reference'}"]
    assert command.main(["name=x", "study=overview", "group=other", *where]) == 2
    assert "there are: mini-ruler" in capsys.readouterr().err
    assert command.main([f"reference={tmp_path / 'none'}"]) == 2
    assert "no reference study" in capsys.readouterr().err


def test_a_new_study_asks_for_its_words(
    tmp_path: Path, write_run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(FULL, length=2048)
    (group,) = {"mini-ruler-suite-2x2"}
    where = [f"results={tmp_path}", f"reference={tmp_path / 'reference'}"]
    assert command.main(["name=x", "study=overview", f"group={group}", *where]) == 0
    folder = tmp_path / "reference" / "x"
    assert {each.name for each in folder.iterdir()} == {
        *FILES,
        "records.parquet",
    }
    assert "(write it here" in (folder / "README.md").read_text()


def test_a_table_of_timings_is_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of random keys and of a stored index, whose layers stand in one row."""
    row = dict.fromkeys(FIELDS, "1") | {
        **{"provider": "squeezed", "query_heads": "4", "kv_heads": "2", "dtype": "float32"},
        **{"context": "4000", "sparsity": "0.9", "cpu_ms": "3", "rounds": "7"},
    }
    of_index = row | {"source": "book", "index": "ab12", "context": "700"}
    rows = [row | {"source": "random", "layer": ""}]
    rows += [
        of_index | {"layer": str(n), "vs_sdpa": ratio} for n, ratio in enumerate(("2", "3", "9"))
    ]
    table = Table(tmp_path / "cpu.csv")
    table.replace(rows)
    where = f"reference={tmp_path}"
    assert command.main(["name=k", f"table={table.path}", "study=kernels", where]) == 0
    narrow = (tmp_path / "k" / "table.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in narrow[2:]] == ["random", "book (3 layers)"]
    assert "1.000 (3.000)" in narrow[3]
    assert "3.00 (2.00 to 9.00)" in narrow[3]
    assert read_rows(tmp_path / "k" / "records.parquet") == table.rows
    assert (tmp_path / "k" / "figure.png").stat().st_size
    capsys.readouterr()
    for wrong in (["table=x"], ["name=k", "table=x"], ["name=k", "table=x", "group=g"]):
        assert command.main([*wrong, where]) == 2
        assert capsys.readouterr().err.count("\n") == 1
