"""A folder that a hub of data sets takes as it is: Parquet with declared features, card, licence, checksums.

README.md                the card: features, configurations, licence, how the rows were made
data/CONFIG/test.parquet one configuration a subtask (and length), in the row contract; ``meta`` is JSON text
SHA256SUMS               of every other file, as ``sha256sum -c`` reads it
"""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rows.parquet import SCHEMA, write_parquet
from rows.row import Row
from rows.whole import write_bytes

SUMS, CARD, DATA = "SHA256SUMS", "README.md", "data"
MEASURED = ("longbench",)  # tasks of whose rows each has a length of its own, in words
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]*")  # an identifier as hubs have them, such as cc-by-4.0


@dataclass(frozen=True)
class About:
    """What people ask first.

    Attributes:
        title: of the card. licence: identifier, in small letters. text: further paragraphs, Markdown.
    """

    title: str
    licence: str
    text: str = ""


def publish(rows: Sequence[Row], out: Path, about: About) -> list[Path]:
    """Writes the folder; an older one of this kind is replaced when the new one is whole.

    Args:
        rows: at least one; each subtask and length becomes a configuration.

    Returns:
        The files, with ``SHA256SUMS`` last.

    Raises:
        ValueError: no row, a licence that is no identifier, a file in place of the folder, or a folder that
            holds something else.
        OSError: a file cannot be written.
    """
    if not rows:
        raise ValueError("there is no row to publish")
    if not LICENCE.fullmatch(about.licence):
        raise ValueError(
            f"licence is {about.licence!r}; expected an identifier such as cc0-1.0, cc-by-4.0 or other"
        )
    if out.exists() and not out.is_dir():
        raise ValueError(f"out={out} is a file; expected a folder")
    if out.exists() and any(out.iterdir()) and not (out / SUMS).exists():
        raise ValueError(f"{out} holds something else; give another out=")
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside it, so that the old one is there until the new one is whole.
    making = out.resolve().with_name(f".{out.resolve().name}.{secrets.token_hex(4)}")
    try:
        names = _write(rows, making, about)
        out.mkdir(exist_ok=True)
        if (out / DATA).exists():
            (out / DATA).replace(making / "old")
        for name in (DATA, CARD, SUMS):
            (making / name).replace(out / name)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return [out / name for name in names]


def _write(rows: Sequence[Row], folder: Path, about: About) -> list[Path]:
    """Writes all files; their places inside the folder, ``SHA256SUMS`` last."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[_config(row)].append(row)
    written = []
    for name, members in sorted(groups.items()):
        written.append(Path(DATA, name, "test.parquet"))
        write_parquet(folder / written[-1], members)
    write_bytes(folder / CARD, _card(groups, about).encode())
    written.append(Path(CARD))
    sums = "".join(f"{_sha256(folder / name)}  {name.as_posix()}\n" for name in written)
    write_bytes(folder / SUMS, sums.encode())
    return [*written, Path(SUMS)]


def wrong(out: Path) -> list[str]:
    """Files of the folder that are missing, or not as they were written.

    Raises:
        ValueError: no such folder.
    """
    if not (out / SUMS).is_file():
        raise ValueError(f"{out} has no {SUMS}; squeezed-bench data publish makes such a folder")
    lines = [line.split("  ", 1) for line in (out / SUMS).read_text().splitlines()]
    return [n for s, n in lines if not (out / n).is_file() or _sha256(out / n) != s]


def push(out: Path, repository: str, private: bool = True) -> str:
    """Uploads a folder that ``publish`` has made; returns its address.

    The key comes from the environment or from a login of huggingface_hub, never from a setting.

    Raises:
        ValueError: no such name, damaged files, or no key. OSError: the hub cannot be reached or refuses.
    """
    require_pushable(repository)
    if damaged := wrong(out):
        raise ValueError(f"{damaged[0]} in {out} is not as it was written; publish it again")
    from huggingface_hub import HfApi  # late: it takes a second

    api = HfApi()
    try:
        api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        found = api.upload_folder(folder_path=out, repo_id=repository, repo_type="dataset")
    except Exception as error:  # the client's own, and those of whatever it speaks HTTP with
        raise OSError(f"{repository} cannot be uploaded: {error}") from error
    return str(found.commit_url)


def require_pushable(repository: str) -> None:
    """
    Raises:
        ValueError: no name of a repository, or no key; said before anything is made.
    """
    if not REPOSITORY.fullmatch(repository):
        raise ValueError(f"push is {repository!r}; expected OWNER/NAME")
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        raise ValueError("push needs the network, and HF_HUB_OFFLINE is set")
    from huggingface_hub import get_token  # late: as in ``push``

    if not get_token():
        raise ValueError(f"push needs a key: set {TOKENS[0]}, or log in with `hf auth login`")


def _config(row: Row) -> str:
    """The name of a row's configuration: subtask, and length where rows are made to one."""
    length = None if row.task in MEASURED else row.meta.get("length")
    name = row.subtask if length is None else f"{row.subtask}_{length}"
    return re.sub(r"[^\w.-]+", "-", name)


def _card(groups: dict[str, list[Row]], about: About) -> str:
    lines = ["---", f"pretty_name: {json.dumps(about.title)}", f"license: {about.licence}"]
    lines += ["task_categories: [question-answering]", "tags: [long-context, kv-cache]", "configs:"]
    for name in sorted(groups):
        lines += [f"- config_name: {json.dumps(name)}", "  data_files:", "  - split: test"]
        lines.append(f"    path: {DATA}/{name}/test.parquet")
    lines.append("dataset_info:")
    declared = json.dumps(_features())  # JSON is YAML, in one line
    for name in sorted(groups):
        lines += [f"- config_name: {json.dumps(name)}", f"  features: {declared}"]
    lines += ["---", "", f"# {about.title}", ""]
    lines += [
        "Questions about long fixed contexts, for methods that keep, compress or index a context once and",
        "are asked about it often. A row is one question; rows with one `context` belong together. The model",
        "reads `context`, then `question` and `answer_prefix`, and generates up to `max_new_tokens` tokens.",
        "`answers` are the texts that count as right. `meta` is JSON text: how the row was made.",
        "",
    ]
    lines += [about.text.strip(), ""] if about.text.strip() else []
    lines += ["| configuration | rows | contexts | made with |", "|---|---|---|---|"]
    for name, rows in sorted(groups.items()):
        contexts = len({row.context for row in rows})
        lines.append(f"| `{name}` | {len(rows)} | {contexts} | {_made(rows[0])} |")
    lines += ["", f"Licence: {about.licence}. Checksums: `sha256sum -c {SUMS}`.", ""]
    first = sorted(groups)[0]
    lines += ["```python", "from datasets import load_dataset", ""]
    lines += [f'rows = load_dataset("FOLDER_OR_REPOSITORY", "{first}", split="test")', "```", ""]
    return "\n".join(lines)


def _features() -> list[dict[str, Any]]:
    """The contract's columns as a card of ``datasets`` declares them."""
    kinds = {"answers": {"list": "string"}, "max_new_tokens": {"dtype": "int64"}}
    return [{"name": name, **kinds.get(name, {"dtype": "string"})} for name in SCHEMA.names]


def _made(row: Row) -> str:
    """What of a row's ``meta`` says how it was made, in short."""
    names = ["generator", "prompts", "length", "seed", "tokenizer", "haystack"]
    if row.task in MEASURED:
        names.remove("length")
    meta = row.meta
    said = [f"{name} {meta[name]}" for name in names if isinstance(meta.get(name), str | int)]
    return ", ".join(said).replace("|", "/")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
