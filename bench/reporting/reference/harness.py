"""Reference studies of what lm-evaluation-harness kept of each document (``squeezed-bench lm_eval pack``)."""

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from bench.config.errors import InputError
from bench.reporting.reference.made import Made, several

OURS, THEIRS = "squeezed", "hf"  # names of models in the harness
# RULER's tasks have a metric a length, and give this one for lengths that are not asked.
NOT_ASKED = -1


def scored(metric: str, values: Iterable[float]) -> bool:
    """Whether a metric says anything: not so that of a length of RULER's that the task does not ask."""
    return not (metric.isdigit() and all(value == NOT_ASKED for value in values))


def metrics(scores: pd.DataFrame) -> list[str]:
    """Those that are ``scored``, of a column each."""
    return [name for name in map(str, scores) if scored(name, scores[name])]


def at_budgets(rows: pd.DataFrame) -> Made:
    """Tasks of lm-evaluation-harness: means over documents, standard errors, and what was read.

    Raises:
        InputError: a document that one cell has answered twice.
    """
    found, several_models = [], rows["checkpoint"].nunique() > 1
    groups = rows.groupby(["task", "checkpoint", "model", "method"], sort=False)
    for (task, checkpoint, model, method), part in groups:
        if part["document"].duplicated().any():
            raise InputError(
                f"{task}, {checkpoint}, {method or model}: a document is there twice; pack runs that differ "
                "in other settings, such as the window, apart"
            )
        scores = pd.DataFrame(part["scores"].tolist())
        for metric in metrics(scores):
            found.append(
                {
                    "task": task,
                    "metric": metric,
                    **({"checkpoint": checkpoint} if several_models else {}),
                    "method": method or f"({model})",
                    "read": part["kv_budget"].iloc[0],
                    "score": scores[metric].mean(),
                    "stderr": scores[metric].sem(),
                    "n": int(scores[metric].count()),
                }
            )
    whole = pd.DataFrame(found)
    order = whole["read"].astype(float).fillna(2)
    whole = whole.assign(order=-order).sort_values(["task", "metric", "order"], kind="stable")
    whole = whole.drop(columns="order").reset_index(drop=True)
    shown = whole.assign(
        task=whole["task"] + ", " + whole["metric"],
        score=[f"{s:.3f} ({e:.3f})" for s, e in zip(whole["score"], whole["stderr"], strict=True)],
    ).rename(columns={"score": "score (standard error)"})
    facts = _facts(rows) | {"n": f"{len(rows)} answers in {groups.ngroups} cells"}
    return Made(whole, shown.drop(columns=["metric", "stderr"]), None, facts)


def beside_hf(rows: pd.DataFrame) -> Made:
    """Full attention of the model ``squeezed`` beside the harness's own ``hf``: scores, and answer by answer.

    Raises:
        InputError: documents that only one of the two has answered; several checkpoints.
    """
    if rows["checkpoint"].nunique() > 1:
        raise InputError(f"several checkpoints, {several(rows['checkpoint'])}: pack each apart")
    found = []
    for task, part in rows.groupby("task", sort=True):
        theirs, ours = (_by_document(part, name) for name in (THEIRS, OURS))
        if set(theirs.index) != set(ours.index) or theirs.empty:
            raise InputError(
                f"{task}: {THEIRS} has answered {len(theirs)} documents and {OURS} {len(ours)}, not the "
                "same ones"
            )
        ours = ours.loc[theirs.index]
        answers = _Answers(theirs["answer"], ours["answer"])
        scores = [pd.DataFrame(each["scores"].tolist()) for each in (theirs, ours)]
        for metric in metrics(scores[0]):
            found.append(
                {
                    "task": task,
                    "metric": metric,
                    "hf": scores[0][metric].mean(),
                    "squeezed, full": scores[1][metric].mean(),
                    "documents": len(theirs),
                    "scored alike": int((scores[0][metric] == scores[1][metric]).sum()),
                    "requests": answers.requests,
                    "answered alike": answers.alike,
                    "largest difference": answers.difference,
                }
            )
    whole = pd.DataFrame(found)
    shown = pd.DataFrame(
        {
            "task": whole["task"] + ", " + whole["metric"],
            "hf": whole["hf"],
            "squeezed, full": whole["squeezed, full"],
            "scored alike": _share(whole["scored alike"], whole["documents"]),
            "answered alike": _share(whole["answered alike"], whole["requests"]),
            "log-likelihoods differ by at most": [
                "" if pd.isna(value) else f"{value:.1e} nats"
                for value in whole["largest difference"]
            ],
        }
    )
    each = whole.groupby("task")[["documents", "requests"]].first().sum()
    facts = _facts(rows) | {"n": f"{each['documents']} documents, {each['requests']} requests"}
    return Made(whole, shown, None, facts)


class _Answers:
    """Two models' answers to the same documents, compared request by request.

    Attributes:
        requests: how many. alike: of them, how many have the same text, or the same verdict on whether greedy
            decoding gives the continuation. difference: the largest of two log-likelihoods, in nats; None
            where texts are generated.
    """

    def __init__(self, theirs: Iterable[str], ours: Iterable[str]) -> None:
        self.requests, self.alike = 0, 0
        self.difference: float | None = None
        for one, other in zip(theirs, ours, strict=True):
            for a, b in zip(json.loads(one), json.loads(other), strict=True):
                self.requests += 1
                self.alike += _outcome(a) == _outcome(b)
                if not isinstance(a, str):
                    apart = abs(float(a[0]) - float(b[0]))
                    self.difference = max(self.difference or 0.0, apart)


def _outcome(answer: Any) -> str:
    return answer if isinstance(answer, str) else str(answer[1])


def _by_document(rows: pd.DataFrame, model: str) -> pd.DataFrame:
    return rows[rows["model"] == model].set_index("document").sort_index()


def _share(counts: pd.Series, of: pd.Series) -> list[str]:
    return [f"{count} of {every}" for count, every in zip(counts, of, strict=True)]


def _facts(rows: pd.DataFrame) -> dict[str, str]:
    return {
        "model": several(rows["checkpoint"]),
        "libraries": f"lm_eval {several(rows['lm_eval'])}, transformers {several(rows['transformers'])}",
    }
