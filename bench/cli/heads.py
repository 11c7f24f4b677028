"""``python -m bench.skew``: what every layer and head reads, and how much attention that holds.

Takes the settings of ``python -m bench``, also a sweep, and looks at a few questions of each run by
``squeezed.diagnostics``. ``python -m bench.report`` makes tables and heat maps of what it finds.
"""

import sys

import pandas as pd
from tqdm import tqdm

from bench.cli import run as cli
from bench.config.errors import ImpossibleError
from bench.config.spec import RunSpec
from bench.records.files import CONFIG, write_json
from bench.reporting.heads import DIAGNOSTICS
from bench.reporting.output import write_text
from bench.runs.answer import Asking, calibrated, scored
from bench.runs.contexts import prepare
from bench.runs.questions import contexts, loaded_model, tokenizer_of
from squeezed.diagnostics.steps import diagnose

CONTEXTS, QUESTIONS = 2, 4  # looked at; the figures are means over many steps of each


def main() -> int:
    """Runs the command line; returns the exit code, as ``python -m bench``."""
    return cli.guarded(_all)


def _all() -> None:
    plan, dry_run = cli.compose()
    plan = [spec for spec in plan if spec.method.name != "full"]  # which reads everything
    if dry_run:
        for spec in plan:
            print(spec.title)
        return
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
        write_text(path, table.to_csv(index=False, float_format="%.6g"))
        write_json(path.with_name(CONFIG), {"identity": spec.identity()})
        tqdm.write(f"[{number}/{len(plan)}] {spec.title}: wrote {path}")


def look(spec: RunSpec) -> pd.DataFrame:
    """Rows of ``squeezed.diagnostics.steps.diagnose`` for the first questions of the first contexts.

    Raises:
        ImpossibleError: the asked size cannot be met. InputError: as ``bench.runs.run.execute``.
    """
    model, tokenizer = loaded_model(spec.model), tokenizer_of(spec.model)
    asking = Asking.of(spec, model, tokenizer)
    tables = []
    for group in contexts(spec.model, spec.task)[:CONTEXTS]:
        prepared = prepare(model, group.ids, spec.index, spec.model, spec.cache_dir)
        context = calibrated(asking, group, prepared).context
        for example in scored(spec, group)[:QUESTIONS]:
            try:
                rows = diagnose(
                    model,
                    context,
                    example.question_ids,
                    asking.method,
                    max_new_tokens=example.rules.max_new_tokens,
                )
            except ValueError as error:
                raise ImpossibleError(f"{spec.title}: {error}") from error
            tables.append(pd.DataFrame(rows).assign(id=example.row.id))
    return pd.concat(tables, ignore_index=True)


if __name__ == "__main__":
    sys.exit(main())
