"""A small share of ``make fuzz`` in every test run, what it has found so far, and that it finds crashes."""

import json
import random
from pathlib import Path

import pytest
from safetensors.torch import load, save

import squeezed
from bench.config.errors import RunError
from bench.records.files import CONFIG, RECORDS, read_records
from bench.reporting.leaderboard.rows import load_runs
from bench.reporting.leaderboard.schema import parse
from longbench.errors import LongBenchError
from longbench.prompting.prompts import load_prompts
from longbench.rows import rows
from longbench.sources.source import find
from prefixqa.service.schema import UnreadableError, read_proposals
from prefixqa.sources.arxiv import from_source
from prefixqa.sources.load import read
from prefixqa.sources.raw import SourceError
from rows.row import RowError, read_jsonl
from ruler.sources import qa_data
from tests.fuzz import index, results, ruler
from tests.fuzz import longbench as longbench_seeds
from tests.fuzz import prefixqa as prefixqa_seeds
from tests.fuzz.damage import damaged_bytes, damaged_json
from tests.fuzz.harness import Loader, fuzz
from tests.fuzz.loaders import LOADERS, shares

INPUTS = 2000  # in all; make fuzz takes 100,000
DEEP = b"[" * 100_000
SIGNED = {"index manifest", "index files"}  # checksums find any damage


@pytest.mark.parametrize(
    ("loader", "count"), shares(INPUTS), ids=lambda each: getattr(each, "name", "")
)
def test_damage_ends_in_a_documented_error(loader: Loader, count: int, tmp_path: Path) -> None:
    tally, crashes = fuzz(loader, count, seed=1, folder=tmp_path)
    assert not crashes, "\n".join(map(str, crashes))
    assert tally.refused > 0  # the damage is such that something is wrong with it
    if loader.name not in SIGNED:  # and not such that nothing behind the first check is reached
        assert tally.accepted > tally.seeds


def test_a_crash_is_found_and_can_be_made_again(tmp_path: Path) -> None:
    def picky(content: bytes, folder: Path) -> None:
        if b"\xff" in content:
            raise KeyError("not documented")
        if content != b"good":
            raise ValueError("documented")

    loader = Loader("picky", 1, lambda folder: [b"good"], damaged_bytes, picky, (ValueError,))
    _, crashes = fuzz(loader, 300, 0, tmp_path / "first")
    assert crashes
    assert "KeyError" in str(crashes[0])
    again = fuzz(loader, 300, 0, tmp_path / "second")[1]
    assert [each.content for each in again] == [each.content for each in crashes]


def test_a_loader_that_hangs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(content: bytes, folder: Path) -> None:
        while content != b"good":
            pass

    monkeypatch.setattr("tests.fuzz.harness.SECONDS", 0.05)
    loader = Loader("endless", 1, lambda folder: [b"good"], damaged_bytes, endless, (ValueError,))
    _, crashes = fuzz(loader, 3, 0, tmp_path)
    assert any("TooSlowError" in str(crash) for crash in crashes)


def test_a_seed_that_is_refused_is_an_error_of_the_test(tmp_path: Path) -> None:
    def refuse(content: bytes, folder: Path) -> None:
        raise ValueError

    loader = Loader("refusing", 1, lambda folder: [b"good"], damaged_bytes, refuse, (ValueError,))
    with pytest.raises(AssertionError, match="seed 0 of refusing"):
        fuzz(loader, 3, 0, tmp_path)


def test_every_share_is_given_out() -> None:
    assert sum(count for _, count in shares(100_000)) >= 100_000
    assert len({each.name for each in LOADERS}) == len(LOADERS)
    assert {each.name for each in LOADERS} >= SIGNED


def test_damage_reaches_every_part_of_a_value() -> None:
    value = {"a": [1, {"b": "text"}], "c": None}
    seen = {damaged_json(random.Random(n), [value]) for n in range(500)}
    parsed = []
    for each in seen:
        try:
            parsed.append(json.loads(each))
        except (ValueError, RecursionError):
            continue
    assert len(seen) > 100
    assert any(isinstance(each, dict) and "a" not in each for each in parsed)
    lists = [
        each["a"] for each in parsed if isinstance(each, dict) and isinstance(each.get("a"), list)
    ]
    assert any(each and each[0] != 1 for each in lists)
    assert any({"b": "text"} not in each and each[:1] == [1] for each in lists)


# --- What fuzzing has found, and was mended -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("layer0.level1.offsets", (0, 3), 30_000, "offsets of level 1"),
        ("layer0.level0.offsets", (0, -1), 2, "offsets of level 0"),
        ("layer0.positions", (0, 0), -1, "positions"),
        ("layer0.positions", (0, 0), 7, "positions"),
        ("layer0.level0.centroids", (0, 0, 0), float("nan"), "centroids of level 0"),
    ],
)
def test_an_index_that_would_be_read_out_of_bounds(
    tmp_path: Path, name: str, place: tuple[int, ...], value: float, message: str
) -> None:
    """Whole files, checksums right, wrong content: kernels would take it at its word."""
    tensors = load(index.good()["tensors"])
    tensors[name][place] = value
    with pytest.raises(squeezed.IndexCorruptError, match=message):
        index.read_signed(b"tensors\n" + save(tensors), tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("layers", [{"scale": None, "softcap": None}]), ("keys_values", "yes"), ("calibrated_on", 3)],
)
def test_a_manifest_with_fields_of_another_type(tmp_path: Path, field: str, value: object) -> None:
    manifest = json.loads(index.good()["manifest"]) | {field: value}
    with pytest.raises(squeezed.IndexCorruptError, match="do not fit together"):
        index.read_signed(b"manifest\n" + json.dumps(manifest).encode(), tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        DEEP,
        b'{"id": ["a"], "score": 1}',
        b'{"id": "a", "score": 1' + b"0" * 400 + b"}",
        b'{"id": "a", "score": NaN}',
        b'{"id": "\\ud800", "score": 1}',
    ],
    ids=["deep", "id", "huge", "nan", "surrogate"],
)
def test_records_that_are_none(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "records.jsonl").write_bytes(line + b"\n")
    with pytest.raises(RunError, match=r"line 1: not a record"):
        read_records(tmp_path / "records.jsonl")


def test_a_run_folder_whose_files_are_damaged(tmp_path: Path) -> None:
    good = dict(each.split(b"\n", 1) for each in results.run_files(tmp_path))
    (tmp_path / RECORDS).write_bytes(good[b"records"])
    for content in (b"{", DEEP, b"{}", b'{"identity": {"model": 3}}', good[b"config"][:-4]):
        (tmp_path / CONFIG).write_bytes(content)
        with pytest.raises(RunError, match=r"config\.json is damaged"):
            load_runs(tmp_path)
    (tmp_path / CONFIG).write_bytes(good[b"config"])
    assert len(load_runs(tmp_path)) == 1
    (tmp_path / RECORDS).write_bytes(b'{"id": "a", "score": 1}\n')
    with pytest.raises(RunError, match=r'record "a" is damaged: context'):
        load_runs(tmp_path)


def test_a_leaderboard_with_an_open_quotation(tmp_path: Path) -> None:
    (text,) = results.leaderboards(tmp_path)
    with pytest.raises(ValueError, match=r"board, line \d: not CSV"):
        parse(text.decode()[:-20] + '"x', "board")


@pytest.mark.parametrize("value", ["NaN", "1e999", '"\\ud800"', "[" * 100_000], ids=repr)
def test_rows_that_could_not_be_written_again(tmp_path: Path, value: str) -> None:
    line = ruler.row_files(tmp_path)[0].splitlines()[0].decode()
    (tmp_path / "rows.jsonl").write_text(line.replace('"seed": 0', f'"seed": {value}') + "\n")
    with pytest.raises(RowError, match=r"rows\.jsonl:1: not a line of JSON"):
        read_jsonl(tmp_path / "rows.jsonl")


def test_question_sets_that_are_nested_too_deeply(tmp_path: Path) -> None:
    (tmp_path / "set.json").write_bytes(DEEP)
    with pytest.raises(ValueError, match="not a file of that data set"):
        qa_data.load("squad", tmp_path / "set.json")


def test_a_longbench_record_with_a_huge_length(tmp_path: Path) -> None:
    record = json.loads(longbench_seeds.short("qasper").splitlines()[0]) | {"length": 10**400}
    (tmp_path / "qasper.jsonl").write_text(json.dumps(record))
    with pytest.raises(LongBenchError, match="'length' is 1000"):
        rows("qasper", find(str(tmp_path), "qasper"), load_prompts("suite"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("0shot.txt", b"\xff", "UTF-8"),
        ("dataset2prompt.json", b"\xff", "UTF-8"),
        ("dataset2maxlen.json", b'{"qasper": 0}', "at least 1"),
        ("dataset2maxlen.json", DEEP, "nested too deeply"),
    ],
)
def test_longbench_prompt_files_that_are_none(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / "dataset2prompt.json").write_text("{}")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LongBenchError, match=message):
        load_prompts(str(tmp_path))


@pytest.mark.parametrize("damage", [(60, 61), (-30, -20)])
def test_a_damaged_zip(tmp_path: Path, damage: tuple[int, int]) -> None:
    archive = dict(each.split(b"\n", 1) for each in longbench_seeds.packed_files(tmp_path))[b"zip"]
    content = bytearray(archive)
    content[slice(*damage)] = b"\xff" * (damage[1] - damage[0])
    (tmp_path / "data.zip").write_bytes(content)
    with pytest.raises(LongBenchError):
        rows("qasper", find(str(tmp_path / "data.zip"), "qasper"), load_prompts("suite"))


def test_a_damaged_package_of_arxiv(tmp_path: Path) -> None:
    *_, packed = prefixqa_seeds.packages(tmp_path)
    for content in (packed[:-12], packed[:20] + b"\xff\xff" + packed[22:]):
        with pytest.raises(SourceError):
            from_source("damaged", content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", b'{"text": "x", "title": "\\ud800"}'),
        ("a.jsonl", DEEP),
    ],
)
def test_documents_that_cannot_be_read(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    ((_, found),) = read(str(tmp_path / name), tmp_path)
    assert isinstance(found, SourceError)


def test_a_licence_that_is_no_text_becomes_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x", "licence": ["CC0"]}')
    ((_, found),) = read(str(tmp_path / "a.jsonl"), tmp_path)
    assert not isinstance(found, SourceError)
    assert found.licence == "['CC0']"


def test_an_answer_that_is_nested_too_deeply() -> None:
    with pytest.raises(UnreadableError, match="no JSON object"):
        read_proposals('{"pairs": ' * 100_000)
