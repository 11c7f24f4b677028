"""What a race came to: a row for each candidate, and one sentence."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.config.words import counted
from bench.models.shapes import shape_of
from bench.racing.answers import Field, answer_seconds
from bench.racing.bound import best_possible
from bench.racing.race import LEVEL, Race, Standing, State, same_batch

ORDER = (State.WITHIN, State.OPEN, State.LOSES, State.OUT)


def table(race: Race, field: Field) -> pd.DataFrame:
    """One row a candidate, the named one first, then as they stand; below them full attention.

    Columns: ``candidate``, ``verdict``, ``n`` (questions), ``contexts``, ``read`` (measured KV budget),
    ``mb`` (10^6 bytes of the context's keys, values and lookup that one pass reads; empty where the model's
    shape is not known), ``ms`` (of an answer; empty where as many questions as in
    most rows were never asked together), ``index_mb`` (10^6 bytes of the index beside keys and values),
    ``points`` (100 times score minus full attention's), ``low`` and ``high`` (its bounds), ``why``.
    """
    token_bytes = getattr(shape_of(field.full.model), "token_bytes", math.nan)
    standings = sorted(
        race.standings.values(),
        key=lambda each: (
            each.name != race.winner,
            ORDER.index(each.state),
            each.seen.read if each.seen else math.inf,
        ),
    )
    asked = list(field.records(None, len(field.looks) - 1).values())
    batch = _common_batch([asked, *(_records(each, field) for each in standings)])
    rows = [_row(each, race, field, token_bytes, batch) for each in standings]
    if asked:
        rows.append(
            {
                "candidate": "full attention",
                "verdict": "",
                **_measured(asked, token_bytes, batch),
                "why": "",
            }
        )
    return pd.DataFrame(rows)


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """The table for people."""

    def points(row: Any) -> str:
        if math.isnan(row.points):
            return ""
        return f"{row.points:+.1f} ({row.low:+.1f} to {row.high:+.1f})"

    return pd.DataFrame(
        {
            "candidate": rows["candidate"],
            "read": rows["read"],
            "a step": [_with_unit(value, ".1f", "MB") for value in rows["mb"]],
            "an answer": [_with_unit(value, ".0f", "ms") for value in rows["ms"]],
            "points from full": [points(row) for row in rows.itertuples()],
            "questions": [str(n) if n else "" for n in rows["n"]],
            "verdict": rows["verdict"],
        }
    )


def _with_unit(value: float, form: str, unit: str) -> str:
    return "" if math.isnan(value) else f"{value:{form}} {unit}"


def sentence(race: Race, field: Field, *, over: bool = False) -> str:
    """The answer in one sentence. ``over``: the race was stopped before its end."""
    tolerance = f"{100 * race.tolerance:g} points"
    if race.winner is not None:
        return _named(race.standings[race.winner], race, field, tolerance)
    if over:
        judged = [each for each in race.standings.values() if each.bounds]
        lost = sum(each.state is State.LOSES for each in judged)
        return (
            f"Nothing is named yet: {lost} of {counted(len(race.candidates), 'candidate')} lose more than "
            f"{tolerance}, {len(judged) - lost} are still in the race; the same command goes on."
        )
    name = race.closest()
    if name is None:
        return "No candidate could be run; the table says why."
    found = race.standings[name]
    assert found.bounds is not None
    assert found.seen is not None
    text = (
        f"No candidate was shown to lose at most {tolerance}. The closest is {name}, which reads "
        f"{found.seen.read:.3f} of the context's bytes: {_points(found.bounds.mean)} from full attention, at "
        f"worst {_points(found.bounds.low)}"
    )
    if found.state is State.LOSES:
        return f"{text}; even that is too much. Allow more: a larger size, or a larger tolerance."
    more = contexts_needed(race, found)
    if more is None:
        return (
            f"{text}. More questions would not show it; allow a larger size, or a larger tolerance."
        )
    return f"{text}. About {more} contexts like these would show it, if it stays at that."


def contexts_needed(race: Race, standing: Standing) -> int | None:
    """Contexts, of as many questions each, after which a lower bound would lie above; None: never.

    The distance from mean to bound shrinks with the root of their number.
    """
    assert standing.bounds is not None
    assert standing.seen is not None
    room = standing.bounds.mean + race.tolerance
    if room <= 0:
        return None
    width = standing.bounds.mean - standing.bounds.low
    return math.ceil(len(set(standing.seen.contexts)) * (width / room) ** 2)


def too_few(race: Race, field: Field) -> str | None:
    """Why nothing could be named with these questions, whatever it answers; None if something can."""
    questions, contexts = len(field.looks[-1]), len(field.groups)
    if contexts < 2:
        return (
            "all questions are on one context, which says nothing about others; give more documents, or "
            "raise task.samples"
        )
    bound = best_possible(questions, contexts, race.risk)
    if bound > -race.tolerance:
        return None
    return (
        f"{counted(questions, 'question')} on {counted(contexts, 'context')} cannot show a loss of at most "
        f"{100 * race.tolerance:g} points: of {counted(len(race.candidates), 'candidate')} even one that "
        f"changes no score could lose {-100 * bound:.1f}. Give more documents, raise task.samples or "
        "task.questions_per_context, name fewer methods, or set a larger tolerance"
    )


def _named(found: Standing, race: Race, field: Field, tolerance: str) -> str:
    assert found.bounds is not None
    assert found.seen is not None
    full = answer_seconds(list(field.records(None, found.look).values()))
    return (
        f"Within {tolerance} of full attention: {found.name}, which reads {found.seen.read:.3f} of the "
        f"context's bytes, takes {_compared(found.seen.seconds, full)}, and scores "
        f"{_points(found.bounds.mean)} from it, at worst {_points(found.bounds.low)} "
        f"({100 * LEVEL:g} % sure, for all candidates and looks together)."
    )


def _compared(ours: Mapping[int, float], full: Mapping[int, float]) -> str:
    """Time of an answer beside full attention's, of as many questions asked together."""
    batch = same_batch([ours, full])
    if batch is not None:
        return f"{1000 * ours[batch]:.0f} ms an answer (full attention {1000 * full[batch]:.0f})"
    one, other = min(ours), min(full)
    return (
        f"{1000 * ours[one]:.0f} ms an answer, asked {one} at a time (full attention "
        f"{1000 * full[other]:.0f}, asked {other} at a time, which cannot be compared)"
    )


def _common_batch(rows: Sequence[Sequence[dict[str, Any]]]) -> int | None:
    """How many questions were asked together for the times of a table: what most rows have."""
    found = Counter(batch for records in rows for batch in answer_seconds(records))
    return min(found, key=lambda batch: (-found[batch], batch), default=None)


def _records(each: Standing, field: Field) -> list[dict[str, Any]]:
    return list(field.records(each.name, each.look).values()) if each.look >= 0 else []


def _row(
    each: Standing, race: Race, field: Field, token_bytes: float, batch: int | None
) -> dict[str, Any]:
    row = {
        "candidate": each.name,
        "verdict": _verdict(each, race),
        **_measured(_records(each, field), token_bytes, batch),
    }
    if each.bounds is not None:
        bounds = each.bounds
        row |= {"points": 100 * bounds.mean, "low": 100 * bounds.low, "high": 100 * bounds.high}
    return row | {"why": each.why}


def _measured(
    records: list[dict[str, Any]], token_bytes: float, batch: int | None
) -> dict[str, Any]:
    nothing = dict.fromkeys(("read", "mb", "ms", "index_mb", "points", "low", "high"), math.nan)
    if not records:
        return {"n": 0, "contexts": 0, **nothing}
    kept = [each["kv_budget"] * each["context_tokens"] * token_bytes for each in records]
    return {
        "n": len(records),
        "contexts": len({each["context"] for each in records}),
        **nothing,
        "read": statistics.fmean(each["kv_budget"] for each in records),
        "mb": statistics.fmean(kept) / 1e6,
        "ms": 1000 * answer_seconds(records).get(batch or 0, math.nan),
        "index_mb": statistics.fmean(each["index_bytes"] for each in records) / 1e6,
    }


def _verdict(each: Standing, race: Race) -> str:
    if each.name == race.winner:
        return "named"
    if each.state is State.OPEN:
        if each.look == race.looks - 1:
            return "not shown"
        return "reads more" if race.winner is not None else "not decided"
    return each.state.value


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points"
