"""Three tasks of lm-evaluation-harness on documents made here, so that they run with no network.

Prompts and scores are the harness's own (RULER's needles, DROP, Belebele); only the data are local. A
task YAML of yours that includes one of the harness's and names local files does the same for any set.

python examples/lm_eval_tasks.py DIR [tokenizer] [tokens] [documents] [questions]
"""

import json
import random
import sys
from pathlib import Path

from lm_eval import tasks

from prefixqa.__main__ import main as prefixqa
from rows.row import Row, read_jsonl
from ruler.__main__ import main as ruler

OWN = Path(tasks.__file__).parent  # the harness's own task files
YAML = """include: {include}
task: {name}
dataset_path: json
dataset_name: null
dataset_kwargs: {{data_files: {{test: {data}}}}}
training_split: null
validation_split: null
test_split: test
{more}"""


def main(
    folder: str,
    tokenizer: str = "mini",
    tokens: str = "2048",
    documents: str = "2",
    questions: str = "8",
) -> None:
    """Writes the tasks ``local_niah``, ``local_drop`` and ``local_belebele`` into a folder."""
    out = Path(folder).resolve()
    size = [f"length={tokens}", f"tokenizer={tokenizer}"]
    needles = ["task=niah_multikey_1", f"samples={documents}", f"questions_per_context={questions}"]
    made = ["backend=template", f"documents={documents}", f"questions={questions}"]
    if ruler([*needles, *size, f"out={out}/ruler"]):
        raise SystemExit(1)
    if prefixqa([*made, *size, f"out={out}/prefixqa"]):
        raise SystemExit(1)
    rows = read_jsonl(next(out.glob(f"ruler/niah_multikey_1*/{tokens}.jsonl")))
    niah = [
        {
            "input": row.context + row.question,
            "gen_prefix": row.answer_prefix.strip(),
            "outputs": row.answers,
            "max_length": int(tokens),
            "context": row.context,
        }
        for row in rows
    ]
    asked = list(read_jsonl(out / "prefixqa" / "prefixqa.jsonl"))
    drop = [_drop(row) for row in asked]
    metric = f'metric_list: [{{metric: "{tokens}", aggregation: mean, higher_is_better: true}}]\n'
    _write(out, "local_niah", "ruler/niah_single_1.yaml", niah, f"custom_dataset: null\n{metric}")
    _write(out, "local_drop", "drop/default.yaml", drop)
    choices = [_choices(row, asked) for row in asked]
    _write(out, "local_belebele", "belebele/_default_template_yaml", choices)
    print(f"wrote 3 tasks into {out}; run them with --include_path {out}")


def _drop(row: Row) -> dict:
    """A question of DROP, with the suite's words around it."""
    answer = {"number": "", "date": {"day": "", "month": "", "year": ""}, "spans": row.answers}
    return {
        "query_id": row.id,
        "passage": row.context.strip(),
        "question": row.question.strip() + row.answer_prefix,
        "answer": answer,
        "validated_answers": {"number": [], "date": [], "spans": []},
    }


def _choices(row: Row, rows: list[Row]) -> dict[str, str]:
    """A question of Belebele: the right answer among three of the same document's other questions."""
    draw = random.Random(row.id)
    others = sorted({each.answers[0] for each in rows if each.context == row.context})
    wrong = draw.sample([each for each in others if each != row.answers[0]], 3)
    answers = draw.sample([row.answers[0], *wrong], 4)
    return {
        "flores_passage": row.context,
        "question": row.meta["question"],
        "correct_answer_num": str(answers.index(row.answers[0]) + 1),
        **{f"mc_answer{place}": text for place, text in enumerate(answers, start=1)},
    }


def _write(out: Path, name: str, include: str, rows: list[dict], more: str = "") -> None:
    data = out / f"{name}.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = YAML.format(include=OWN / include, name=name, data=data, more=more)
    (out / f"{name}.yaml").write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
