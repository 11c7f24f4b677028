"""The table of all types, docs/models.md: written from verdicts, and read again for its version."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from squeezed.check.sweep import Job
from squeezed.check.verdict import OUTCOMES, Verdict

HEAD = """# Models: exact, or refused with the reason

Made by `python -m squeezed check --all --out docs/models.md`; do not edit it.

transformers {transformers}, torch {torch}. Every type that transformers maps to a causal LM, as a tiny random
model with sharp attention and all kinds of layers of its family. *Exact*: with nothing dropped, the engine's
logits are those of the model's own single pass over context and question up to rounding (at most {tolerance:.0e} of
the largest logit), after a prefill in four chunks; the greedy tokens are the same, and those of a padded batch
of three questions. *Refused*: `squeezed.prepare` raises `UnsupportedModelError` with the reason. *Not built*: there
is no model here to judge.

{counts}

"""
COLUMNS = ("type", "layers", "variant", "verdict", "largest difference", "reason or note")


def write(
    path: Path,
    verdicts: Mapping[Job, Verdict],
    kinds: Mapping[str, str],
    versions: Mapping[str, str],
    tolerance: float,
) -> None:
    """Writes the table as Markdown.

    Args:
        verdicts: by model type and variant. kinds: of layers, by model type.
        versions: of transformers and torch.
    """
    counts = Counter(verdict.outcome for verdict in verdicts.values())
    said = ", ".join(f"{counts[each]} {each}" for each in OUTCOMES)
    lines = [HEAD.format(**versions, tolerance=tolerance, counts=f"{len(verdicts)} models: {said}.")]
    lines.append(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}\n")
    for (model_type, variant), verdict in verdicts.items():
        difference = "" if verdict.difference is None else f"{verdict.difference:.0e}"
        reason = verdict.reason.replace("|", "/")
        cells = (model_type, kinds.get(model_type, ""), variant, verdict.outcome, difference, reason)
        lines.append(f"| {' | '.join(cells)} |\n")
    path.write_text("".join(lines), encoding="utf-8")


def read(path: Path) -> tuple[str, dict[Job, str]]:
    """The version of transformers that a table is of, and its outcomes by model type and variant."""
    text = path.read_text(encoding="utf-8")
    version = re.search(r"^transformers (\S+),", text, re.MULTILINE)
    rows = re.findall(r"^\| (\S+) \| [^|]* \| (\S+) \| ([^|]+) \|", text, re.MULTILINE)
    found = {(kind, variant): outcome for kind, variant, outcome in rows if outcome in OUTCOMES}
    return (version.group(1) if version else ""), found
