"""From settings to a set on disk."""

import dataclasses
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from prefixqa import extractive, factbook, invent, prompts, template
from prefixqa.config import BACKENDS, MAKING, READING, PrefixqaConfig
from prefixqa.made import Made
from prefixqa.output.folder import MANIFEST, recover
from prefixqa.output.splits import split_of
from prefixqa.output.write import ROWS, found_set, manifest_of, write_set
from prefixqa.reading import Report
from prefixqa.real import check_filter, fitted, load_documents
from prefixqa.service import prompts as service_prompts
from prefixqa.service.accounts import Prices
from prefixqa.service.address import secrets_of, service_name
from prefixqa.service.estimate import estimate
from prefixqa.service.run import Finished, ask_service, check_service
from prefixqa.sources.load import Loaded
from prefixqa.tokens import TokenCounter
from rows.command import UnfinishedError, check_folder
from rows.redact import redact
from rows.tokenizer import load_tokenizer

GENERATORS = {
    invent.NAME: template.GENERATOR,
    factbook.NAME: factbook.GENERATOR,
    extractive.NAME: extractive.GENERATOR,
    "openai": service_prompts.VERSION,
}


def make(settings: PrefixqaConfig, tokenizer: Any = None) -> None:
    """Makes the set of some settings, or keeps the one that is there. Prints which.

    Args:
        tokenizer: to count with; None: the one that the settings name.

    Raises:
        ValueError, OSError: a setting is wrong; no set has been written then.
        UnfinishedError: some requests failed for good; a second run goes on from there.
    """
    check(settings)
    tokens = TokenCounter(tokenizer or load_tokenizer(settings.tokenizer))
    out = Path(settings.out)
    loaded = Loaded([], {})
    if settings.backend not in MAKING:
        loaded = load_documents(settings, tokens)
        for name, read in loaded.reports.items():
            print(f"prefixqa: read {read.line(name)}", file=sys.stderr)
        for name, why in loaded.skipped.items():
            print(f"prefixqa: left out {name}: {why}", file=sys.stderr)
        if not loaded.documents:
            raise ValueError(f"source: none of {len(loaded.skipped)} documents can be used")
    if settings.dry_run:
        print(dry_run(settings, loaded, tokens))
        return
    decided = decides(settings, loaded, tokens)
    if kept(out, decided, settings.overwrite):
        return
    finished = generate(settings, loaded, tokens)
    accounts = finished.accounts.summary() if settings.backend == "openai" else {}
    if accounts:
        print(finished.accounts.line())
    if settings.backend == "openai" and not any(each.pairs for each in finished.made):
        why = finished.trouble[0] if finished.trouble else rejections(finished)
        raise UnfinishedError(f"no pair was accepted: {why}")
    write_set(
        out,
        finished.made,
        tokens,
        decided,
        loaded.skipped,
        accounts,
        not finished.trouble,
        with_shortages(settings, loaded, finished),
    )
    report("wrote", out, manifest_of(out) or {})
    for each in finished.made:
        if short := each.shortage(settings.questions, why_short(settings)):
            name = loaded.names.get(each.document.id, each.document.id)
            print(f"prefixqa: {name}: {short}", file=sys.stderr)
    if finished.trouble:
        raise UnfinishedError(
            f"{finished.trouble[0]}; run the same command again: what is paid is kept"
        )


def why_short(settings: PrefixqaConfig) -> str:
    """Why a document may have fewer pairs than asked for."""
    if settings.backend == extractive.NAME:
        return extractive.NO_MORE
    return "no others were accepted, or fit into the length"


def with_shortages(
    settings: PrefixqaConfig, loaded: Loaded, finished: Finished
) -> dict[str, Report]:
    """What became of each document that was read; those with too few pairs say so."""
    found = dict(loaded.reports)
    for each in finished.made:
        name = loaded.names.get(each.document.id, "")
        short = each.shortage(settings.questions, why_short(settings))
        if short and name in found:
            found[name] = dataclasses.replace(found[name], notes=(*found[name].notes, short))
    return found


def generate(settings: PrefixqaConfig, loaded: Loaded, tokens: TokenCounter) -> Finished:
    """The pairs of every document, from the backend of the settings. Errors as ``make``."""
    from prefixqa.service.accounts import Accounts

    if settings.backend == "openai":
        finished = ask_service(
            settings.openai,
            loaded.documents,
            tokens,
            settings.questions,
            settings.seed,
            cache_folder(settings),
        )
    else:
        finished = Finished(list(shown(by_rule(settings, loaded, tokens))), Accounts())
    if settings.backend not in MAKING:
        finished.made = [fitted(each, tokens, settings.length) for each in finished.made]
    return finished


def rejections(finished: Finished) -> str:
    """What became of all the proposals, in words."""
    reasons = sum((each.reasons for each in finished.made), Counter[str]())
    reasons += finished.accounts.failures
    counts = ", ".join(f"{name} {count}" for name, count in sorted(reasons.items()))
    return counts or "the model proposed nothing"


def by_rule(
    settings: PrefixqaConfig, loaded: Loaded, tokens: TokenCounter
) -> tuple[int, Iterable[Made]]:
    """Number of documents, and the documents with their pairs, from a backend without a model."""
    questions, seed = settings.questions, settings.seed
    if settings.backend in MAKING:
        wanted = settings.documents or invent.DOCUMENTS
        count = min(wanted, settings.limit or wanted)
        make_them = invent.invent if settings.backend == invent.NAME else factbook.documents
        return count, make_them(tokens, count, questions, settings.length, seed)
    made = (extractive.extract(each, questions, seed) for each in loaded.documents)
    return len(loaded.documents), made


def shown(counted: tuple[int, Iterable[Made]]) -> Iterable[Made]:
    """The documents, with a progress bar where stderr is a terminal."""
    total, made = counted
    return tqdm(made, "documents", total, unit="doc", disable=None, leave=False)


def cache_folder(settings: PrefixqaConfig) -> Path:
    """Where responses and fetched papers are kept."""
    own = settings.openai.cache
    return Path(own).expanduser() if own else Path(settings.out) / ".cache"


def dry_run(settings: PrefixqaConfig, loaded: Loaded, tokens: TokenCounter) -> str:
    """What the set would take, in one line."""
    service = settings.openai
    if settings.backend != "openai":
        return f"the backend {settings.backend} asks no service and costs nothing"
    prices = Prices(service.price_in, service.price_out)
    numbers = estimate(service, loaded.documents, tokens, settings.questions)
    return f"{len(loaded.documents)} documents; {numbers.line(prices)}"


def check(settings: PrefixqaConfig) -> None:
    """Checks what can be checked without a tokenizer.

    Raises:
        ValueError: a setting cannot work.
    """
    if settings.backend not in BACKENDS:
        raise ValueError(f"unknown backend {settings.backend!r}; known: {', '.join(BACKENDS)}")
    invented = settings.backend in MAKING
    for name in READING if invented else ():
        if getattr(settings, name) != getattr(PrefixqaConfig, name):
            raise ValueError(
                f"{name}: the {settings.backend} backend makes its documents; leave {name} out"
            )
    for name in ("questions", "length", "documents", "limit"):
        if (given := getattr(settings, name)) is not None and given < 1:
            raise ValueError(f"{name} is {given}; expected at least 1")
    split_of((), settings.split.train, settings.split.validation, 0)
    if not invented:
        check_filter(settings)
    if settings.backend == "openai":
        check_service(settings.openai)
    check_folder(Path(settings.out))


def decides(settings: PrefixqaConfig, loaded: Loaded, tokens: TokenCounter) -> dict[str, Any]:
    """What decides the content of a set, for its manifest: no prices, no places, no secrets."""
    plain = dataclasses.asdict(settings)
    names = ("backend", "questions", "length", "seed", "split")
    decided = {name: plain[name] for name in names} | {
        "tokenizer": tokens.name,
        "tokenizer_fingerprint": tokens.fingerprint,
        "prompts": prompts.VERSION,
        "generator": GENERATORS[settings.backend],
    }
    if settings.backend in MAKING:
        decided["documents"] = by_rule(settings, loaded, tokens)[0]
    else:
        decided["source"] = settings.source
        decided["documents_fingerprint"] = loaded.fingerprint()
    if settings.backend == "openai":
        asked = ("model", "temperature", "samples", "agree", "rounds", "judge", "max_answer_words")
        body = ("send_seed", "answer_tokens", "extra_body", "structured")  # of each request
        service = {name: plain["openai"][name] for name in (*asked, *body)}
        decided["openai"] = service | {"service": service_name(settings.openai.base_url)}
    return redact(decided, secrets_of(settings.openai))


def kept(out: Path, decided: dict[str, Any], overwrite: bool) -> bool:
    """Whether the set is there already. One that could not be finished is not, but may be gone on with.

    Raises:
        ValueError: another set stands in the way and ``overwrite`` is not set.
    """
    recover(out)
    if overwrite or not (out / ROWS).exists():
        return False
    manifest = found_set(out, decided)
    if manifest is None:
        state = "was made with other settings, or changed since"
        if not (out / MANIFEST).exists():
            state = f"has no {MANIFEST}"
        raise ValueError(
            f"{out} holds a set that {state}; give another out=, or overwrite=true to replace it "
            "(kept answers are not paid again)"
        )
    if not manifest["complete"]:
        return False
    report("kept", out, manifest)
    return True


def report(what: str, out: Path, manifest: dict[str, Any]) -> None:
    """Prints one line about a set."""
    documents, pairs = manifest["documents"], manifest["pairs"]
    reasons = ", ".join(f"{name} {count}" for name, count in sorted(manifest["rejected"].items()))
    note = f"; rejected: {reasons}" if reasons else ""
    print(f"{what} {out / ROWS}: {documents} documents, {pairs} pairs{note}")
