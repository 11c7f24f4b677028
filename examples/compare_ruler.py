"""Whether rows with the original's wording are the original's: frames and lengths, task by task.

python examples/compare_ruler.py --clone FOLDER [--tokenizers mini,FOLDER] [--tasks vt,cwe] [--seeds 8]
python examples/compare_ruler.py --clone FOLDER --times [--tasks vt,cwe] [--length 32768] [--samples 20]

FOLDER is a clone of github.com/NVIDIA/RULER. Its generators are run as they are, in a temporary copy,
and ours with ``prompts=FOLDER compat=true``. Of both, what is drawn (numbers, names, words) is masked;
what is left, the frame, must be the same text. Lengths are means in tokens. They differ from seed to seed,
because all samples of one start from one drawn size and lose whole steps. Tasks with essays or documents
need data of others, and are left out.

With ``--times``, rows of each task are made by the original's command and by ours in turns, and the CPU
seconds of both processes are compared, start-up included.
"""

import argparse
import ast
import contextlib
import itertools
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rows.row import Row
from rows.tokenizer import load_tokenizer
from ruler.generate import generate
from ruler.tasks import TASKS, NiahTask

FAMILIES = {
    "niah": ("niah", "niah.py"),
    "vt": ("variable_tracking", "variable_tracking.py"),
    "cwe": ("common_words_extraction", "common_words_extraction.py"),
    "fwe": ("freq_words_extraction", "freq_words_extraction.py"),
}
COMPARED = ("niah_single_1", "niah_multikey_2", "niah_multikey_3", "vt", "cwe", "fwe")
# In place of packages that the generators import and these tasks do not use.
STUBS = {
    "nltk/__init__.py": "",
    "nltk/tokenize.py": "def sent_tokenize(text):\n    raise NotImplementedError\n",
    "tenacity.py": (
        "def retry(*_, **__):\n    return lambda function: function\n"
        "stop_after_attempt = wait_fixed = wait_random = lambda *_: 0\n"
    ),
}
ROUNDS = 3  # of timing
# One process for all generators, because each imports for seconds.
DRIVER = """
import json, runpy, sys
for command in json.load(sys.stdin):
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")
"""
# What is drawn, and what it becomes. Words of a list, and coded words, come as one block of any length.
MASKS = (
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>"),
    (r"\b1\. .+?(?=$|\n)", "<list>"),
    (r"(?:(?:[a-z]{6}|\.\.\.)(?: |(?=\n))){20,}", "<coded>"),
    (r"(?<= for )[a-z][\w'. -]*-[\w'. -]*?(?=( is:| mentioned))", "<key>"),
    (r"\b[A-Z]{5}\b", "<name of 5>"),
    (r"\b(?!VAR\b)[A-Z]{3}\b", "<name of 3>"),
    (r"\b\d{7}\b", "<number of 7>"),
    (r"\b\d{5}\b", "<number of 5>"),
)


def frame(text: str) -> list[str]:
    """The lines of a prompt with what is drawn masked; of a haystack's, which come again, the first only."""
    for pattern, name in MASKS:
        text = re.sub(pattern, name, text)
    lines, seen = [], set()
    for line in text.split("\n"):
        again = line in seen and not line.startswith("Question")
        hay = line != "" and (again or line.startswith("VAR"))
        if not hay:
            lines.append(line)
        elif line not in seen:
            lines.append(f"hay: {line}|")
        seen.add(line)
    return sorted(each for each in lines if each.startswith("hay")) + [
        each for each in lines if not each.startswith("hay")
    ]


@contextlib.contextmanager
def runnable(clone: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A copy of the original's generators that can be run, and the environment to do it in."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        data = work / "data"
        shutil.copytree(clone / "scripts" / "data", data)
        for name, content in STUBS.items():
            path = work / "stubs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        words = data / "synthetic" / "json" / "english_words.json"
        words.parent.mkdir(exist_ok=True)
        words.write_text('{"1": "word"}')  # a pointer in most clones, and read at any length
        folders = [str(work / "stubs"), str(data / "synthetic"), str(data)]
        paths = [*folders, os.environ.get("PYTHONPATH", "")]
        yield work, os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def command(
    clone: Path, work: Path, task: str, tokenizer: str, length: int, samples: int, seed: int
) -> list[str]:
    """The original's command for a task, run in ``work``; its rows go to ``work/TASK-SEED``."""
    family, script = FAMILIES[TASKS[task].family]
    return [
        str(work / "data" / "synthetic" / script),
        *("--save_dir", str(work), "--save_name", f"{task}-{seed}", "--random_seed", str(seed)),
        *("--tokenizer_type", "hf", "--tokenizer_path", tokenizer),
        *("--max_seq_length", str(length), "--num_samples", str(samples)),
        *("--tokens_to_generate", str(TASKS[task].max_new_tokens)),
        *("--template", template(clone, family), *parameters(task)),
    ]


def theirs(
    clone: Path, tasks: list[str], tokenizer: str, length: int, samples: int, seeds: int
) -> dict[str, list[dict[str, Any]]]:
    """Rows of the original's own generators, run in a copy, by task."""
    with runnable(clone) as (work, environment):
        commands = [
            command(clone, work, task, tokenizer, length, samples, seed)
            for task, seed in itertools.product(tasks, range(seeds))
        ]
        run([sys.executable, "-c", DRIVER], environment, json.dumps(commands))
        return {
            task: [
                json.loads(line)
                for seed in range(seeds)
                for line in (work / f"{task}-{seed}" / "validation.jsonl").read_text().splitlines()
            ]
            for task in tasks
        }


def run(arguments: list[str], environment: dict[str, str] | None = None, given: str = "") -> float:
    """Runs a command and returns its CPU seconds; ends the example with its last line if it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        arguments, env=environment, input=given, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        whose = "our" if arguments[1] == "-m" else "an original"
        raise SystemExit(f"{whose} generator failed: {said}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare_times(clone: Path, task: str, tokenizer: str, length: int, samples: int) -> None:
    """Prints the median CPU seconds of both commands for a task, run in turns."""
    took: dict[str, list[float]] = {"theirs": [], "ours": []}
    with runnable(clone) as (work, environment):
        for seed in range(ROUNDS):
            original = command(clone, work, task, tokenizer, length, samples, seed)
            took["theirs"].append(run([sys.executable, *original], environment))
            settings = [f"task={task}", f"length={length}", f"samples={samples}", f"seed={seed}"]
            settings += [f"tokenizer={tokenizer}", f"out={work / f'ours-{seed}'}"]
            took["ours"].append(run([sys.executable, "-m", "ruler", *settings]))
    other, own = (statistics.median(each) for each in took.values())
    print(
        f"{task:16} {Path(tokenizer).name:12} {samples} rows of {length} tokens, CPU seconds: "
        f"theirs {other:.1f}, ours {own:.1f}, ratio {other / own:.1f}",
        flush=True,
    )


def template(clone: Path, family: str) -> str:
    """The original's template of a family with its answer prefix, as its own driver joins them."""
    source = (clone / "scripts" / "data" / "synthetic" / "constants.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            entry = ast.literal_eval(node.value)[family]
            return str(entry["template"] + entry["answer_prefix"])
    raise SystemExit(f"{clone}: constants.py has no templates")


def parameters(task: str) -> list[str]:
    """The generator's own arguments for a standard task."""
    found = TASKS[task]
    if not isinstance(found, NiahTask):
        return []
    given = {
        "type_haystack": found.haystack,
        "type_needle_k": found.key_type,
        "type_needle_v": found.value_type,
        "num_needle_k": found.keys,
        "num_needle_v": found.values,
        "num_needle_q": found.queries,
    }
    return [word for key, value in given.items() for word in (f"--{key}", str(value))]


def compare(
    clone: Path,
    task: str,
    loaded: Any,
    others: list[dict[str, Any]],
    length: int,
    samples: int,
    seeds: int,
) -> bool:
    """Compares one task and prints a line; whether the frames are equal."""
    ours: list[Row] = []
    for seed in range(seeds):
        ours += generate(task, loaded, length, samples, seed=seed, prompts=str(clone), compat=True)
    texts = [row.context + row.question + row.answer_prefix for row in ours]
    wanted = [row["input"] + row["answer_prefix"] for row in others]
    left, right = frame(wanted[0]), frame(texts[0])
    means = [
        sum(len(loaded(text, add_special_tokens=False)["input_ids"]) for text in side) / len(side)
        for side in (wanted, texts)
    ]
    same = left == right
    print(
        f"{task:16} {Path(loaded.name_or_path).name:12} frame {'same' if same else 'DIFFERS'}  "
        f"tokens: theirs {means[0]:.0f}, ours {means[1]:.0f} ({means[1] / means[0] - 1:+.1%})",
        flush=True,
    )
    if not same:
        for a, b in zip([*left, ""], [*right, ""], strict=False):
            if a != b:
                print(f"  theirs: {a[:150]!r}\n  ours:   {b[:150]!r}")
                break
    return same


def main(arguments: list[str] | None = None) -> None:
    """Runs the example; ends with exit code 1 if a frame differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clone", type=Path, required=True, help="clone of NVIDIA/RULER")
    parser.add_argument(
        "--tokenizers", default="mini", help="names or folders, with commas between"
    )
    parser.add_argument("--tasks", default=",".join(COMPARED))
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--times", action="store_true", help="compare CPU seconds, not texts")
    given = parser.parse_args(arguments)
    if not (given.clone / "scripts" / "data" / "synthetic").is_dir():
        parser.error(f"--clone: {given.clone} has no folder scripts/data/synthetic")
    wrong = [task for task in given.tasks.split(",") if task not in COMPARED]
    if wrong:
        parser.error(f"--tasks: {wrong[0]} cannot be compared; known: {', '.join(COMPARED)}")
    same = []
    tasks, length = given.tasks.split(","), given.length
    counts = given.samples, given.seeds
    for name in given.tokenizers.split(","):
        tokenizer = load_tokenizer(name)
        if given.times:
            for task in tasks:
                path = str(tokenizer.name_or_path)
                compare_times(given.clone, task, path, length, given.samples)
            continue
        print(f"{name}: running the original's generators ...", file=sys.stderr)
        made = theirs(given.clone, tasks, str(tokenizer.name_or_path), length, *counts)
        for task in tasks:
            same.append(compare(given.clone, task, tokenizer, made[task], length, *counts))
    if not all(same):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
