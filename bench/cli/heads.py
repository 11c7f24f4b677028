"""``squeezed-bench skew``: what every layer and head reads, and how much attention that holds.

Takes the settings of a run, also a sweep, and looks at a few questions of each run by
``squeezed.diagnostics``. ``squeezed-bench report`` makes tables and heat maps of what it finds.
"""

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.cli import run as cli
from bench.cli.arguments import read
from bench.config.errors import ImpossibleError, InputError
from bench.config.guard import guarded
from bench.config.limit import limited
from bench.config.methods import described

if TYPE_CHECKING:
    import pandas as pd

    from bench.config.spec import RunSpec

CONTEXTS, QUESTIONS = 2, 4  # looked at; the figures are means over many steps of each
KEPT = "tables that are written are kept, and the same command goes on with the others"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code, as ``squeezed-bench run``."""
    given = sys.argv[1:] if arguments is None else arguments
    return guarded(lambda: _all(given), KEPT)


def _all(arguments: Sequence[str]) -> None:
    asked = read(arguments)
    if asked.help:
        usage = "squeezed-bench skew [a run's settings], or python -m bench.skew"
        print(
            usage, "", *(__doc__ or "").strip().splitlines()[2:], "", cli.help_page(asked), sep="\n"
        )
        return
    todo = cli.compose(asked)
    if todo.launcher is not None:
        raise InputError("skew looks in this process; leave hydra/launcher out")
    # What reads everything has nothing to look at.
    plan = [spec for spec in todo.plan if described(spec.method.name).indexed]
    if todo.dry_run:
        for spec in plan:
            print(spec.title)
        return
    with limited(todo.minutes):
        _look_at(plan)
    for results in dict.fromkeys(spec.results for spec in plan):
        print(f"tables and heat maps: squeezed-bench report {shlex.quote(f'results={results}')}")


def _look_at(plan: "list[RunSpec]") -> None:
    from tqdm import tqdm

    from bench.records.files import CONFIG, DIAGNOSTICS, write_json
    from bench.reporting.output import as_csv, write_text

    for number, spec in enumerate(plan, start=1):
        path = spec.folder / DIAGNOSTICS
        if path.exists():
            tqdm.write(f"[{number}/{len(plan)}] {spec.title}: from before, {path}")
            continue
        try:
            table = look(spec)
        except ImpossibleError as error:
            tqdm.write(f"[{number}/{len(plan)}] skipped: {error}")
            continue
        write_text(path, as_csv(table))
        write_json(path.with_name(CONFIG), {"identity": spec.identity()})
        tqdm.write(f"[{number}/{len(plan)}] {spec.title}: wrote {path}")


def look(spec: "RunSpec") -> "pd.DataFrame":
    """Rows of ``squeezed.diagnostics.steps.diagnose`` for the first questions of the first contexts.

    They are asked one by one, whatever ``batch_size`` says.

    Raises:
        ImpossibleError: the asked size cannot be met. InputError: as ``bench.runs.run.execute``.
    """
    import pandas as pd
    import torch

    from bench.runs.answer import Asking, calibrated, scored
    from bench.runs.contexts import prepare
    from bench.runs.questions import contexts, loaded_model, tokenizer_of
    from squeezed.diagnostics.steps import diagnose

    if spec.model.threads is not None:
        torch.set_num_threads(spec.model.threads)
    model, tokenizer = loaded_model(spec.model), tokenizer_of(spec.model)
    asking = Asking.of(spec, model, tokenizer)
    tables = []
    for group in contexts(spec.model, spec.task)[:CONTEXTS]:
        prepared = prepare(
            model, group.ids, spec.index, spec.model, spec.cache_dir, spec.cache_max_bytes
        )
        context = calibrated(asking, group, prepared).context
        for example in scored(spec, group)[:QUESTIONS]:
            try:
                rows = diagnose(
                    model,
                    context,
                    example.question_ids,
                    asking.method,
                    max_new_tokens=example.rules.max_new_tokens,
                    backend=spec.backend,
                )
            except ValueError as error:
                raise ImpossibleError(f"{spec.title}: {error}") from error
            tables.append(pd.DataFrame(rows).assign(id=example.row.id))
    return pd.concat(tables, ignore_index=True)
