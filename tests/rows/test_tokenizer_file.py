"""Tokenizers read from their file alone, beside transformers' own reading."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from rows.tokenizer import load_tokenizer
from rows.tokenizer_file import FileTokenizer, read_tokenizer_file
from rows.tokens import TokenCounter
from tests.rows.kinds import KINDS, TEXT

MINI = Path(__file__).resolve().parents[2] / "bench" / "models" / "mini"
TEXTS = (TEXT, " a", "", "<s> in the text </s>", "naïve 日本\n\n  12345", "[CLS]\tx [SEP]")
ASKED = ("bos_token", "bos_token_id", "eos_token", "eos_token_id", "pad_token", "unk_token_id")


def saved(name: str, folder: Path) -> Path:
    """The folder of a kind of tokenizer, without what only chat needs."""
    KINDS[name]().save_pretrained(folder)
    return folder


def change(folder: Path, file: str, **settings: Any) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


@pytest.mark.parametrize("name", [*KINDS, "mini"])
def test_it_is_transformers_own(name: str, tmp_path: Path) -> None:
    folder = MINI if name == "mini" else saved(name, tmp_path)
    found, other = read_tokenizer_file(folder), AutoTokenizer.from_pretrained(folder)
    if other.backend_tokenizer.post_processor is None:  # transformers makes one
        assert found is None
        return
    assert found is not None
    for text in TEXTS:
        for special in (False, True):
            settings = {"add_special_tokens": special, "return_offsets_mapping": True}
            ours, theirs = found(text, **settings), other(text, **settings)
            assert ours["input_ids"] == theirs["input_ids"] == found.encode(text, special)
            assert list(ours["offset_mapping"]) == list(theirs["offset_mapping"])
    assert [getattr(found, each) for each in ASKED] == [getattr(other, each) for each in ASKED]
    assert set(found.all_special_ids) == set(other.all_special_ids)
    assert found.get_vocab() == other.get_vocab()
    one, two = TokenCounter(found), TokenCounter(other)
    assert (one.name, one.fingerprint, one.frame) == (two.name, two.fingerprint, two.frame)


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("tokenizer_config.json", {"add_bos_token": True}),
        ("tokenizer_config.json", {"tokenizer_class": "LlamaTokenizer"}),
        ("tokenizer_config.json", {"pad_token": "<a new one>"}),
        ("tokenizer_config.json", {"bos_token": {"content": "<s>", "lstrip": True}}),
        ("tokenizer_config.json", {"extra_special_tokens": ["<a new one>"]}),
        ("tokenizer_config.json", {"a_setting_of_next_year": 1}),
        ("tokenizer.json", {"post_processor": None}),
        (
            "tokenizer.json",
            {
                "truncation": {
                    **{"direction": "Right", "max_length": 3},
                    **{"strategy": "LongestFirst", "stride": 0},
                }
            },
        ),
    ],
)
def test_what_transformers_may_change_is_left_to_it(
    tmp_path: Path, file: str, settings: dict[str, Any]
) -> None:
    folder = saved("byte BPE", tmp_path)
    assert read_tokenizer_file(folder) is not None
    change(folder, file, **settings)
    assert read_tokenizer_file(folder) is None


def test_a_damaged_or_missing_file_is_left_to_transformers(tmp_path: Path) -> None:
    assert read_tokenizer_file(tmp_path / "nowhere") is None
    folder = saved("byte BPE", tmp_path)
    (folder / "tokenizer.json").write_text("{")
    assert read_tokenizer_file(folder) is None
    with pytest.raises(ValueError, match="cannot load"):
        load_tokenizer(str(folder))


def test_a_chat_template_needs_transformers(tmp_path: Path) -> None:
    folder = saved("byte BPE", tmp_path)
    assert isinstance(load_tokenizer(str(folder)), FileTokenizer)
    assert load_tokenizer(str(folder), chat=True).chat_template


def test_rows_are_made_without_torch(tmp_path: Path) -> None:
    made = (
        "import runpy, sys\n"
        f"sys.argv = ['ruler', 'task=vt', 'length=1024', 'samples=1', {f'out={tmp_path}/rows'!r}]\n"
        "try:\n    runpy.run_module('ruler', run_name='__main__')\n"
        "finally:\n    print(sorted({'torch', 'transformers', 'pyarrow'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", made], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "rows" / "vt" / "1024.jsonl").exists()
