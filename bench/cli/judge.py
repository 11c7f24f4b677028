"""``squeezed-bench judge``: lets a model judge the predictions of PreFixQA runs.

Writes ``judge.jsonl`` beside each run's records, and one table of all of them. Verdicts are kept, so a
second call pays for new predictions only. The key comes from the environment.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config.errors import InputError
from bench.config.plain import Plain, records_below, setting
from rows.redact import redact

if TYPE_CHECKING:
    import pandas as pd

    from bench.reporting.leaderboard.rows import Run
    from prefixqa.config import ServiceConfig

FILE = "judge.jsonl"


def judge(
    runs: "list[Run]", folder: Path, settings: "ServiceConfig", cache: Path
) -> "pd.DataFrame":
    """Judges every PreFixQA run; one row each: the share judged right, beside F1.

    Raises:
        InputError: there is no such run. ValueError: the service refuses everything.
    """
    import pandas as pd  # late: a wrong setting is refused without them

    from bench.reporting.tables.prefixqa import method_name
    from prefixqa.output.files import write_lines
    from prefixqa.rows import TASK
    from prefixqa.score import answer_of
    from prefixqa.service.grade import Given, grade

    rows = []
    for identity, records, place in runs:
        if identity["task"]["name"] != TASK:
            continue
        given = [
            Given(
                each["id"],
                each["meta"]["question"],
                each["answers"],
                answer_of(each["prediction"], ""),
            )
            for each in records.to_dict("records")
        ]
        grades, accounts = grade(settings, given, cache)
        write_lines(folder / place / FILE, [dataclasses.asdict(each) for each in grades])
        print(f"{place}: {accounts.line()}")
        judged = [each.good for each in grades if each.good is not None]
        rows.append(
            {
                "model": identity["model"]["name"],
                "set": identity["task"]["label"],
                "length": identity["task"]["length"],
                "variant": method_name(identity),
                "kv_budget": records["kv_budget"].mean(),
                "f1": records["score"].mean(),
                "judged right": sum(judged) / len(judged) if judged else None,
                "judged": len(judged),
                "n": len(grades),
                "judge": redact(settings.model),
            }
        )
    if not rows:
        raise InputError(f"no PreFixQA record in {folder}; run squeezed-bench task=prefixqa")
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Settings:
    """Settings of the judge."""

    model: str = setting(dataclasses.MISSING, "the judge, as the service calls it")
    results: Path = setting(Path("results"), "folder of results; their records are below its runs")
    base_url: str | None = setting(None, "any compatible service; null: OpenAI's")
    key_env: str = setting("OPENAI_API_KEY", "variable of the environment that holds the key")
    structured: str = setting(
        "json_schema", "how answers are asked for", ("json_schema", "json_object", "none")
    )
    cache: Path = setting(Path(".cache/prefixqa-judge"), "folder of kept verdicts")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 1 damaged records, 2 bad input."""
    return JUDGE.main(arguments)


def _judge(given: Settings) -> None:
    runs, tables = records_below(given.results), given.results / "tables"
    from bench.reporting.leaderboard.rows import load_runs  # late: with pandas
    from bench.reporting.output import as_csv, as_markdown, write_text
    from prefixqa.config import ServiceConfig

    settings = ServiceConfig(
        model=given.model,
        base_url=given.base_url,
        key_env=given.key_env,
        concurrency=8,
        timeout=120.0,
        max_wait=3600.0,
        retries=5,
        temperature=0.0,
        structured=given.structured,
    )
    try:
        table = judge(load_runs(runs), runs, settings, given.cache)
    except ValueError as error:
        raise InputError(str(error)) from error
    write_text(tables / "prefixqa-judge.csv", as_csv(table))
    print(as_markdown(table))
    print(f"wrote {tables / 'prefixqa-judge.csv'}")


JUDGE = Plain(
    "judge",
    "bench.prefixqa_judge",
    Settings,
    _judge,
    """Lets a model judge the predictions of PreFixQA runs: judge.jsonl beside each run's records, and
RESULTS/tables/prefixqa-judge.csv. Verdicts are kept, so a second call pays for new predictions only.
The key comes from the environment. Exit codes: 0 done, 1 damaged records, 2 bad input.""",
    ("model=gpt-4o-mini", "model=NAME base_url=http://localhost:8000/v1"),
    kept="verdicts that came are kept, and the same command asks for the others",
)
