"""Every example runs, in seconds, and says what it is there to show."""

import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs an example in an empty folder; returns what it printed."""

    def run(name: str, *arguments: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(EXAMPLES))
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        capsys.readouterr()
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_a_document_is_asked_and_its_index_kept(run: Run, tmp_path: Path) -> None:
    first = run("ask_a_document")
    assert "4711042" in first
    assert (tmp_path / "ledger-index" / "manifest.json").exists()
    assert run("ask_a_document") == first  # from the index
    (tmp_path / "other.txt").write_text("Another text. " * 100)
    with pytest.raises(SystemExit, match="the index of another text"):
        run("ask_a_document", "--document", "other.txt")


def test_methods_are_compared_at_one_budget(run: Run) -> None:
    lines = dict(re.findall(r"^(\w+) +read ([\d.]+)  right", run("compare_methods"), re.MULTILINE))
    assert set(lines) >= {"full", "squeezed", "oracle", "quest", "streaming"}
    assert float(lines.pop("full")) == 1
    assert all(float(read) <= 0.26 for read in lines.values())


def test_plain_generate_samples(run: Run) -> None:
    assert run("plain_generate").count("4711042") >= 1


def test_an_own_sketch_meets_its_budget_and_counts_its_lookup(run: Run) -> None:
    output = run("own_sketch")
    for line in output.splitlines():
        assert "read 0.4" in line or "read 0.39" in line, line
    assert output.startswith("Signs: read")


def test_an_own_sketch_is_short() -> None:
    """A method that looks keys up by a sketch of its own takes at most 25 lines, imports included."""
    source = (EXAMPLES / "own_sketch.py").read_text(encoding="utf-8")
    method = source[source.index("@dataclass") :].split("\n\n\n")[0]
    page = (EXAMPLES.parent / "docs" / "extending.md").read_text(encoding="utf-8")
    assert method in page
    imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert len(method.splitlines()) + len(imports) <= 25


def test_an_own_method_meets_its_size(run: Run) -> None:
    output = run("own_method")
    assert "largest=True" in output
    assert len(re.findall(r"read 0\.4", output)) == 3


def test_an_own_task_is_run_and_recorded(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench import tasks

    monkeypatch.setattr(tasks, "TASKS", dict(tasks.TASKS))
    assert run("own_task").count("6 examples") == 2
    assert len(list((tmp_path / "results" / "runs" / "mini").rglob("records.jsonl"))) == 2


def test_an_own_backend_agrees_with_the_specification(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from squeezed_kernels import backend

    monkeypatch.setattr(backend, "MODULES", dict(backend.MODULES))
    monkeypatch.setattr(backend, "HEAD_SIZES", dict(backend.HEAD_SIZES))
    output = run("own_backend")
    assert float(re.search(r"reference: (\S+)", output)[1]) < 1e-5  # type: ignore[index]
    assert "4711042" in output


def test_a_model_is_checked(run: Run) -> None:
    said = run("check_model", "--tokens", "300")
    assert "layers: 4 full" in said
    assert "300 tokens (as asked): exact" in said


def test_every_example_has_a_test() -> None:
    tested = Path(__file__).read_text()
    for path in EXAMPLES.glob("*.py"):
        elsewhere = (
            "compare_kvpress",
            "gathered_backend",
            "kvpress_side",
            "lm_eval_tasks",
            "ten_questions",
        )
        assert f'"{path.stem}"' in tested or path.stem in elsewhere, path.name


GENERATOR = """
import json, pathlib, sys
import nltk.tokenize, tenacity  # of which the machine has none
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
folder = pathlib.Path(given["--save_dir"]) / given["--save_name"]
folder.mkdir(parents=True)
words = " ".join(f"{n}. word" for n in range(1, 31))
text = given["--template"].format(context=words, query="", num_cw=10)
row = {"input": text + " 1. a 2. b" + JOINT + text.split(" The 10:")[0], "answer_prefix": " The 10:"}
(folder / "validation.jsonl").write_text(json.dumps(row) + "\\n")
"""


def test_frames_are_compared_with_those_of_a_clone(run: Run, tmp_path: Path) -> None:
    from tests.ruler.wording import FILES

    folder = tmp_path / "clone" / "scripts" / "data" / "synthetic"
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_text(content)
    given = (
        "--clone",
        str(tmp_path / "clone"),
        "--length",
        "1500",
        "--samples",
        "1",
        "--seeds",
        "1",
        "--tasks",
        "cwe",
    )
    program = folder / "common_words_extraction.py"
    program.write_text(f"JOINT = chr(10)\n{GENERATOR}")
    assert "frame same" in run("compare_ruler", *given)
    program.write_text(f"JOINT = 2 * chr(10)\n{GENERATOR}")
    with pytest.raises(SystemExit) as end:
        run("compare_ruler", *given)
    assert end.value.code == 1
    with pytest.raises(SystemExit, match="an original generator failed"):
        run("compare_ruler", *given[:-1], "fwe")
