"""The table of all types, docs/models.md: written from verdicts, and read again for its version."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from squeezed.check.exactness import TOLERANCE
from squeezed.check.sweep import Job
from squeezed.check.tiny import model_types
from squeezed.check.variants import DEFAULT, VARIANTS
from squeezed.check.verdict import EXACT, OUTCOMES, Verdict

COMMAND = "python -m squeezed check all=true variants=all out=docs/models.md"
HEAD = f"""# Models: exact, or refused with the reason

Written by `{COMMAND}`; not to be edited.
Of **transformers {{transformers}}** and torch {{torch}}.

Every type that transformers maps to a causal LM, as a tiny random model with sharp attention and all the
kinds of layers of its family. The measure is the model's own single pass, with its eager attention, over
context and question.

- **exact**: with nothing dropped, logits differ from it by rounding (less than {TOLERANCE:.0e} of the largest
  logit, or of 1), by `Full` and by `Squeezed(sparsity=0)`, after a prefill in four chunks. Greedy tokens
  are the same, and so are those of a padded batch of three questions.
- **refused**: `UnsupportedModelError` with the reason that the table gives.
- **not built**: there is no model here to judge: another package is needed, or transformers itself cannot
  run it.

A family whose default configuration has a sliding window in every layer is tried without the window, as its
later checkpoints come; with it there is nothing to index, and it is refused. `python -m squeezed check
FOLDER` says the same of one model's folder, from its configuration, before weights are loaded; of attention
that is code of the model's own it says that the first pass will show.

{{counts}}
"""
SEEING_HEAD = """
## Types that also see

Other types that transformers maps to a model of images and text, asked with text alone.

"""
VARIANTS_HEAD = """
## RoPE types and bfloat16

A type without RoPE, or that does not take a RoPE type, has no verdict there. `dynamic` is judged below the
length from which it rotates all keys anew, and `longrope` above its switch; what crosses either is refused.
In bfloat16 the measure is the float32 pass, and the engine may err as the model's own bfloat16 pass does,
times three: the median over tokens, since rounding decides between experts whose scores are near, and then
the whole token differs.

"""
COLUMNS = ("type", "layers of the tiny model", "verdict", "largest difference", "reason or note")


def counts(verdicts: Mapping[Job, Verdict]) -> str:
    """How many there are of each outcome, in one line."""
    found = Counter(verdict.outcome for verdict in verdicts.values())
    said = ", ".join(f"{found[each]} {each}" for each in OUTCOMES)
    return f"{len(verdicts)} models: {said}"


def write(path: Path, verdicts: Mapping[Job, Verdict]) -> None:
    """Writes the tables as Markdown: all types, then the variants of each."""
    import torch
    import transformers

    plain, seeing = (
        {
            job: each
            for job, each in verdicts.items()
            if job[1] == DEFAULT and (job[0] in of) is here
        }
        for of, here in ((set(model_types()), True), (set(model_types()), False))
    )
    versions = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]}
    parts = [HEAD.format(**versions, counts=f"{counts(plain)}.")]
    parts.append("\n## Types\n\n" + _types(plain))
    if seeing:
        parts += [SEEING_HEAD, f"{counts(seeing)}.\n\n", _types(seeing)]
    others = [name for name in VARIANTS if name != DEFAULT and name in {job[1] for job in verdicts}]
    tried = {job: verdict for job, verdict in verdicts.items() if job[1] in others}
    if tried:
        parts.append(_variants(tried, others))
    path.write_text("".join(parts), encoding="utf-8")


def _types(verdicts: Mapping[Job, Verdict]) -> str:
    text = _row(COLUMNS) + _row(["---"] * len(COLUMNS))
    for (model_type, _), each in verdicts.items():
        difference = "" if each.difference is None else f"{each.difference:.0e}"
        reason = each.reason.replace("|", "/")
        text += _row([model_type, each.layers, each.outcome, difference, reason])
    return text


def _variants(tried: Mapping[Job, Verdict], names: list[str]) -> str:
    """A row for each type that has a variant at all; a column for each variant."""
    text = VARIANTS_HEAD
    built = {job: each for job, each in tried.items() if each.outcome in OUTCOMES[:-1]}
    text += f"{counts(built)}.\n\n"
    text += _row(["type", *names]) + _row(["---"] * (1 + len(names)))
    for model_type in dict.fromkeys(kind for kind, _ in built):
        cells = [built.get((model_type, name)) for name in names]
        text += _row([model_type, *("" if each is None else each.outcome for each in cells)])
    said: dict[str, list[str]] = {}
    for (model_type, name), each in built.items():
        if each.outcome != EXACT:
            reason = each.reason.removeprefix(f"{model_type} ")
            said.setdefault(f"{each.outcome}: {reason}", []).append(f"{model_type} {name}")
    if said:
        text += "\nNot exact among them:\n\n"
        text += "".join(f"- {reason} ({', '.join(jobs)})\n" for reason, jobs in said.items())
    return text


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |\n"


def read(path: Path) -> tuple[str, dict[str, str]]:
    """The version of transformers that a table is of, and the outcome of each type's default."""
    text = path.read_text(encoding="utf-8")
    version = re.search(r"\*\*transformers (\S+)\*\*", text)
    types = text.partition("## Types")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\S+) \| [^|]* \| ([^|]+) \|", types, re.MULTILINE)
    found = {kind: outcome for kind, outcome in rows if outcome in OUTCOMES}
    return (version.group(1) if version else ""), found
