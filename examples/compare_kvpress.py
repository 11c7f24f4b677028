"""Our methods beside kvpress's: the keys that both keep, and the scores that both get, on the same prompts.

python examples/compare_kvpress.py --python VENV/bin/python [--model smollm2] [--contexts 5] [--questions 20]
    [--length 1280] [--keep 0.5] [--work FOLDER] [--out results/reference/kvpress/MODEL]
python examples/compare_kvpress.py --table [--model smollm2] [--out FOLDER]    the tables again

VENV has kvpress 0.5.5 and transformers before 5.3, which it needs. Each of our methods is run twice:
*aligned*, with kvpress's settings (the window as small as can be, or SnapKV's own; its pooling), where the
kept keys must be the same ones; and with *our* defaults. Prompts are PreFixQA's, without a chat template, as
token ids. All results of one context are kept in FOLDER, and the same command goes on. A row a question goes
to ``scores.csv``, a row a method, context and layer to ``kept.csv``; tables of both stand beside them.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import squeezed
from bench import models
from bench.reporting.output import as_csv, as_markdown, write_text
from bench.reporting.statistics.intervals import Interval, cluster_mean
from bench.runs.questions import loaded_tokenizer
from prefixqa import invent
from prefixqa.rows import to_rows
from prefixqa.score import score
from prefixqa.tokens import TokenCounter
from rows.frame import make_frame

NEW_TOKENS = 20
WINDOW = 100  # of our defaults
FULL = "full"
BARE = "kvzip, no instruction"  # not a press of kvpress: is the instruction all that is different?


@dataclass(frozen=True)
class Pair:
    """A method here and there.

    Attributes:
        press: kvpress's settings; its class is ``class``. method: our class. aligned: what it is given to do
            as the press does. window: with that.
    """

    press: dict[str, Any]
    method: Callable[..., squeezed.Method]
    aligned: dict[str, Any] = field(default_factory=dict)
    window: int = 1


PAIRS = {
    "snapkv": Pair(
        {"class": "SnapKVPress", "window_size": 64, "kernel_size": 5},
        squeezed.SnapKV,
        {"pool": "mean"},
        64,
    ),
    "streaming": Pair({"class": "StreamingLLMPress", "n_sink": 4}, squeezed.StreamingLLM),
    "knorm": Pair({"class": "KnormPress"}, squeezed.Knorm),
    "keydiff": Pair({"class": "KeyDiffPress"}, squeezed.KeyDiff),
    "tova": Pair({"class": "TOVAPress"}, squeezed.TOVA),
    "expected_attention": Pair(
        {"class": "ExpectedAttentionPress", "n_sink": 4, "n_future_positions": 512},
        squeezed.ExpectedAttention,
        {"sinks": 4},
    ),
    "kvzip": Pair({"class": "KVzipPress", "n_sink": 4}, squeezed.KVzip, {"sinks": 4}),
    BARE: Pair({"class": "BareKVzip", "n_sink": 4}, squeezed.KVzip, {"sinks": 4}),
}


@dataclass(frozen=True)
class Prompts:
    """The prompts of one context: token ids, and what belongs to the answers."""

    ids: list[int]
    questions: list[list[int]]
    rows: list[Any]


def prompts(tokenizer: Any, contexts: int, questions: int, length: int, seed: int) -> list[Prompts]:
    """Prompts of PreFixQA's invented documents."""
    counter, frame = TokenCounter(tokenizer), make_frame(tokenizer, False)
    found = []
    for made in invent.invent(counter, contexts, questions, length, seed):
        rows = to_rows(made, "template", counter)
        head, fixed = frame.fixed_ids(tokenizer, rows[0].context)
        asked = [
            list(frame.user_ids(tokenizer, row.question, row.answer_prefix, row.context))
            for row in rows
        ]
        found.append(Prompts([*head, *fixed], asked, rows))
    return found


def kept_positions(
    context: squeezed.FixedContext, method: squeezed.Method
) -> list[list[list[int]]]:
    """Positions that a static method keeps in each layer and head, window included."""
    found = []
    for layer, selector in zip(context.layers, method.bind(context, "reference"), strict=True):
        keep = selector.keep if hasattr(selector, "keep") else torch.ones_like(layer.positions) > 0
        window = list(range(layer.clustered, layer.tokens))
        found.append(
            [
                sorted([*places[row].tolist(), *window])
                for places, row in zip(layer.positions, keep, strict=True)
            ]
        )
    return found


def ours(model: Any, given: Prompts, keep: float, folder: Path, number: int) -> None:
    """Answers of our methods on one context, aligned and with our defaults; a file each."""
    count = max(1, int(len(given.ids) * keep))
    ids = torch.tensor([given.ids])
    todo: dict[int, list[tuple[str, Callable[..., Any], dict[str, Any]]]] = {}
    for name, pair in PAIRS.items():
        todo.setdefault(pair.window, []).append((f"aligned-{name}", pair.method, pair.aligned))
        if name != BARE:
            todo.setdefault(WINDOW, []).append((f"default-{name}", pair.method, {}))
    todo[1].insert(0, (f"aligned-{FULL}", squeezed.Full, {}))
    for window, methods in sorted(todo.items()):
        missing = [each for each in methods if not (folder / f"{each[0]}-{number}.json").exists()]
        if not missing:
            continue
        needs = [need for _, make, _ in missing for need in getattr(make, "needs", ())]
        context = squeezed.prepare(
            model,
            ids,
            levels=(2 / len(given.ids),),  # clusters, which nothing here looks at
            window=window,
            statistics=squeezed.statistics_for(needs),
        )
        for name, make, settings in missing:
            start = time.perf_counter()
            method = make() if make is squeezed.Full else make(kv_tokens=count, **settings)
            out = squeezed.generate(
                model,
                context,
                [torch.tensor(each) for each in given.questions],
                method=method,
                max_new_tokens=NEW_TOKENS,
            )
            said = [
                row[:length].tolist()
                for row, length in zip(out.sequences, out.lengths, strict=True)
            ]
            kept = None if make is squeezed.Full else kept_positions(context, method)
            write_text(folder / f"{name}-{number}.json", json.dumps({"kept": kept, "tokens": said}))
            print(
                f"ours: {name}, context {number}: {time.perf_counter() - start:.0f} s", flush=True
            )


def theirs(
    python: str, source: str, all_prompts: Sequence[Prompts], keep: float, out: Path
) -> "subprocess.Popen[bytes]":
    """Starts kvpress on the same prompts in its own environment."""
    presses: dict[str, Any] = {FULL: None}
    presses |= {name: pair.press | {"compression_ratio": 1 - keep} for name, pair in PAIRS.items()}
    job = {
        "model": source,
        "out": str(out),
        "threads": torch.get_num_threads(),
        "new_tokens": NEW_TOKENS,
        "presses": presses,
        "contexts": [{"ids": each.ids, "questions": each.questions} for each in all_prompts],
    }
    path = write_text(out / "job.json", json.dumps(job))
    side = Path(__file__).with_name("kvpress_side.py")
    return subprocess.Popen([python, str(side), str(path)])


def collected(
    folder: Path, all_prompts: Sequence[Prompts], tokenizer: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a question, and a row a method, context and layer, from the files of both sides."""
    stop = tokenizer.eos_token_id

    def scored(tokens: list[int], row: Any) -> float:
        text = tokens[: tokens.index(stop)] if stop in tokens else tokens
        return score(tokenizer.decode(text), row.answers, row.answer_prefix)["f1"]

    scores, kept = [], []
    for name in (FULL, *PAIRS):
        for number, given in enumerate(all_prompts):
            read = {
                kind: json.loads((folder / f"{kind}{name}-{number}.json").read_text())
                for kind in ("", "aligned-", *(() if name in (FULL, BARE) else ("default-",)))
            }
            for at, row in enumerate(given.rows):
                said = {kind: each["tokens"][at] for kind, each in read.items()}
                scores.append(
                    {
                        "method": name,
                        "context": number,
                        "question": row.id,
                        "kvpress": scored(said[""], row),
                        "aligned": scored(said["aligned-"], row),
                        "ours": scored(said["default-"], row) if "default-" in said else None,
                    }
                )
            if name != FULL:
                kept += [
                    {"method": name, "context": number, "layer": layer, **found}
                    for layer, found in enumerate(_shares(read))
                ]
    return pd.DataFrame(scores), pd.DataFrame(kept)


def _shares(read: dict[str, Any]) -> list[dict[str, float]]:
    """For each layer, the share of the keys that kvpress keeps that we keep as well; the mean over heads,
    and the least of a head."""
    found = []
    for theirs, *ours in zip(*(each["kept"] for each in read.values()), strict=True):
        row = {}
        for kind, mine in zip(("aligned", "ours"), ours, strict=False):
            shares = [
                len(set(a) & set(b)) / max(1, len(a)) for a, b in zip(theirs, mine, strict=True)
            ]
            row |= {kind: float(np.mean(shares)), f"{kind}_least": min(shares)}
        found.append(row)
    return found


def table_of_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores of both sides, and paired differences from kvpress with contexts as what is drawn."""
    rows = []
    for name, part in scores.groupby("method", sort=False):
        row: dict[str, Any] = {
            "method": name,
            "kvpress": part["kvpress"].mean(),
            "aligned": part["aligned"].mean(),
            "aligned minus kvpress (95 % CI)": _difference(part, "aligned"),
            "our defaults": part["ours"].mean(),
            "defaults minus kvpress (95 % CI)": "",
        }
        if part["ours"].notna().all():
            row["defaults minus kvpress (95 % CI)"] = _difference(part, "ours")
        rows.append(row)
    return pd.DataFrame(rows)


def table_of_keys(kept: pd.DataFrame) -> pd.DataFrame:
    """Shares of the keys that kvpress keeps which we keep as well: means, and of the worst head."""
    rows = []
    for name, part in kept.groupby("method", sort=False):
        rows.append(
            {
                "method": name,
                "keys in common, aligned": f"{100 * part['aligned'].mean():.2f} %",
                "worst head, aligned": f"{100 * part['aligned_least'].min():.1f} %",
                "keys in common, our defaults": ""
                if part["ours"].isna().all()
                else f"{100 * part['ours'].mean():.1f} %",
            }
        )
    return pd.DataFrame(rows)


def _difference(part: pd.DataFrame, ours: str) -> str:
    found: Interval = cluster_mean(part[ours] - part["kvpress"], part["context"])
    return f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"


def write_tables(folder: Path) -> str:
    """Writes the tables of the rows in a folder, ``scores.md`` and ``kept.md``; returns both as text."""
    shown = []
    for name, make in (("scores", table_of_scores), ("kept", table_of_keys)):
        if (folder / f"{name}.csv").exists():
            shown.append(as_markdown(make(pd.read_csv(folder / f"{name}.csv"))) + "\n")
            write_text(folder / f"{name}.md", shown[-1])
    return "\n".join(shown)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", help="of the environment with kvpress")
    parser.add_argument("--model", default="smollm2", help="mini, a name, a folder or a hub id")
    parser.add_argument("--contexts", type=int, default=5)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--length", type=int, default=1280)
    parser.add_argument("--keep", type=float, default=0.5, help="share of the keys that are kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("build/compare_kvpress"))
    parser.add_argument("--out", type=Path, help="default: results/reference/kvpress/MODEL")
    parser.add_argument("--table", action="store_true", help="only make the table again")
    given = parser.parse_args(arguments)
    given.out = given.out or Path("results/reference/kvpress", Path(given.model).name)
    if not given.table:
        if not given.python:
            parser.error("--python is missing: the Python of an environment with kvpress")
        torch.set_num_threads(given.threads)
        known = given.model in models.NAMES
        name, path = (given.model, None) if known else ("hf", given.model)
        source = models.source_of(name, path)
        tokenizer = loaded_tokenizer(source)
        sizes = (given.contexts, given.questions, given.length)
        asked = prompts(tokenizer, *sizes, given.seed)
        # A folder a model: of two models with one name, such as two folders', the answers would mix.
        work = given.work / Path(source).name / "-".join(map(str, (*sizes, given.keep, given.seed)))
        other = theirs(given.python, source, asked, given.keep, work)
        model, _ = models.load_model(name, path=path)
        for number, each in enumerate(asked):
            ours(model, each, given.keep, work, number)
        if other.wait():
            raise SystemExit(
                "kvpress's side failed; what is done is kept, the same command goes on"
            )
        for file, rows in zip(("scores", "kept"), collected(work, asked, tokenizer), strict=True):
            write_text(given.out / f"{file}.csv", as_csv(rows))
    print(write_tables(given.out))


if __name__ == "__main__":
    sys.exit(main())
