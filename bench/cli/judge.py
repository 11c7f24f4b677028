"""``python -m bench.prefixqa_judge``: lets a model judge the predictions of PreFixQA runs.

Writes ``judge.jsonl`` beside each run's records, and one table of all of them. Verdicts are kept, so a
second call pays for new predictions only. The key comes from the environment.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import pandas as pd

from bench.config.errors import InputError, RunError, fail
from bench.reporting.leaderboard.rows import Run, load_runs
from bench.reporting.output import as_markdown
from bench.reporting.tables.prefixqa import method_name
from prefixqa.config import ServiceConfig
from prefixqa.output.files import write_lines
from prefixqa.rows import TASK
from prefixqa.score import answer_of
from prefixqa.service.grade import Given, grade

FILE = "judge.jsonl"


def judge(runs: list[Run], folder: Path, settings: ServiceConfig, cache: Path) -> pd.DataFrame:
    """Judges every PreFixQA run; one row each: the share judged right, beside F1.

    Raises:
        InputError: there is no such run. ValueError: the service refuses everything.
    """
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
                "judge": settings.model,
            }
        )
    if not rows:
        raise InputError(f"no PreFixQA record in {folder}; run python -m bench task=prefixqa")
    return pd.DataFrame(rows)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 1 damaged records, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m bench.prefixqa_judge", description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("results/runs"), help="folder of records")
    parser.add_argument(
        "--out", type=Path, default=Path("results/tables"), help="folder of the table"
    )
    parser.add_argument("--model", required=True, help="the judge, as the service calls it")
    parser.add_argument("--base-url", help="any compatible service; default: OpenAI's")
    parser.add_argument("--key-env", default="OPENAI_API_KEY", help="variable that holds the key")
    parser.add_argument(
        "--structured", default="json_schema", help="json_schema, json_object, none"
    )
    parser.add_argument("--cache", type=Path, default=Path(".cache/prefixqa-judge"))
    options = parser.parse_args(arguments)
    settings = ServiceConfig(
        model=options.model,
        base_url=options.base_url,
        key_env=options.key_env,
        concurrency=8,
        timeout=120.0,
        retries=5,
        temperature=0.0,
        structured=options.structured,
    )
    try:
        table = judge(load_runs(options.runs), options.runs, settings, options.cache)
        options.out.mkdir(parents=True, exist_ok=True)
        table.to_csv(options.out / "prefixqa-judge.csv", index=False, float_format="%.6g")
    except RunError as error:
        return fail(1, str(error))
    except (ValueError, OSError) as error:
        return fail(2, str(error))
    print(as_markdown(table))
    print(f"wrote {options.out / 'prefixqa-judge.csv'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
