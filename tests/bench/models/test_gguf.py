"""GGUF files as models: the numbers and tokens of the file, converted once."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("gguf")
pytest.importorskip("accelerate")

from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from bench import models
from bench.cli.validate import model_spec
from bench.config.schema import ModelConf
from bench.models import gguf
from bench.records.files import read_records
from rows.gguf import kept
from rows.tokenizer import load_tokenizer
from squeezed.check.command import main as check
from tests import gguf_files
from tests.forked import PROCESSES

Bench = Callable[..., Any]
TEXTS = ("In 2024,  12 of\n\n34 calm otters\n  5 came. It's", " é 漢字 🙂 <|end|> x", "")
IDS = torch.arange(40)[None] + 5


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of models, shared by this file's tests; a conversion takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        found = tmp_path_factory.mktemp("kept")
        patch.setenv("SQUEEZED_MODELS", str(found))
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quantised Llama with a whole tokenizer."""
    path = tmp_path_factory.mktemp("files") / "tiny.Q8_0.gguf"
    gguf_files.write(path, kind="Q8_0", small=False)
    return path


@pytest.mark.parametrize(
    ("architecture", "kind", "stored"),
    [
        ("llama", "Q8_0", torch.float32),
        ("qwen2", "F16", torch.float16),
        ("qwen2", "BF16", torch.bfloat16),
    ],
)
def test_the_model_has_the_numbers_of_the_file(
    tmp_path: Path, architecture: str, kind: str, stored: torch.dtype
) -> None:
    path = tmp_path / f"{kind}.gguf"
    wanted = gguf_files.write(path, architecture, kind)
    model, _ = models.load_model(str(path), device="cpu")
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, wanted(IDS).logits)
    assert model.config.model_type == architecture
    assert model.config.max_position_embeddings == 4096
    weights = load_file(kept.folder_of(kept.sha256_of(path)) / "model.safetensors")
    assert weights["model.layers.0.mlp.up_proj.weight"].dtype == stored


def test_logits_are_those_of_transformers_own_reading(file: Path) -> None:
    direct = AutoModelForCausalLM.from_pretrained(
        str(file.parent), gguf_file=file.name, dtype=torch.float32
    ).eval()
    model, _ = models.load_model("hf", path=str(file), device="cpu")
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, direct(IDS).logits)


def test_the_tokenizer_is_that_of_the_file(file: Path) -> None:
    _, tokenizer = models.load_model(str(file), device="cpu")
    direct = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
    mini = AutoTokenizer.from_pretrained(models.MINI)
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert ids[0] == tokenizer.bos_token_id  # the file says that one is added
        assert tokenizer.decode(ids[1:]) == text
    assert tokenizer.encode("calm otters") == direct.encode("calm otters")
    assert tokenizer.get_vocab() == mini.get_vocab()
    assert tokenizer.encode("<|endoftext|>")[1:] == mini.encode("<|endoftext|>")  # no token here
    assert tokenizer.special_tokens_map == direct.special_tokens_map
    turn = [{"role": "user", "content": "hello"}]
    assert tokenizer.apply_chat_template(turn, tokenize=False) == "<user>hello"
    generators = load_tokenizer(str(file))  # as RULER counts with it
    assert generators.encode(TEXTS[0]) == tokenizer.encode(TEXTS[0])


def test_single_digits_are_cut_before_blanks(tmp_path: Path) -> None:
    """Two line ends before a digit are one token of SmolLM's; cut as GPT-2 does, they were two."""
    path = tmp_path / "digits.gguf"
    gguf_files.write(path, pre="smollm")
    found = load_tokenizer(str(path)).backend_tokenizer.pre_tokenizer.pre_tokenize_str("a\n\n12")
    assert [piece for piece, _ in found] == ["a", "ĊĊ", "1", "2"]
    gguf_files.write(path, pre="gpt-2")
    found = load_tokenizer(str(path)).backend_tokenizer.pre_tokenizer.pre_tokenize_str("a\n\n12")
    assert [piece for piece, _ in found] == ["a", "Ċ", "Ċ", "12"]


def test_a_folder_of_a_former_reading_is_made_anew(tmp_path: Path) -> None:
    """Words that are a token were cut by Llama 3's rules, once."""
    path = tmp_path / "a.gguf"
    gguf_files.write(path, pre="llama-bpe", bos=False)
    folder = gguf.local(path)
    made = kept.origin(folder)
    assert made is not None
    today = (folder / "tokenizer.json").read_bytes()
    AutoTokenizer.from_pretrained(tmp_path, gguf_file=path.name).save_pretrained(folder)
    kept.write_origin(folder, replace(made, reading=1))
    assert (folder / "tokenizer.json").read_bytes() != today
    assert gguf.local(path) == folder
    assert (folder / "tokenizer.json").read_bytes() == today
    assert kept.origin(folder) == made


def test_a_file_is_converted_once_and_known_by_its_checksum(
    file: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = gguf.local(file)
    monkeypatch.setattr(gguf, "_make", lambda *_: pytest.fail("converted again"))
    moved = tmp_path / "other-name.gguf"
    moved.write_bytes(file.read_bytes())
    assert gguf.local(moved) == first
    assert first.parent == folder
    spec = model_spec(ModelConf(path=str(moved), device="cpu"))
    assert spec.label == "other-name"
    assert spec.fingerprint.endswith(f"sha256:{kept.sha256_of(file)}")
    again = model_spec(ModelConf(path=str(first), device="cpu"))
    assert again.fingerprint == spec.fingerprint


def test_a_run_names_the_files_checksum(bench: Bench, file: Path, tmp_path: Path) -> None:
    result = bench(
        f"model.path={file}", "method=squeezed_topk", "task.samples=1", "backend=reference"
    )
    assert result.code == 0, result.err
    (path,) = tmp_path.rglob("records.jsonl")
    said = json.dumps(read_records(path)[0]["provenance"])
    assert kept.sha256_of(file) in said
    assert str(kept.models_folder()) not in said


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[: len(content) // 2], "is cut off: it has "),
        (lambda content: b"gguf" + content[4:], "is no GGUF file: it begins with b'gguf'"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    bench: Bench, file: Path, tmp_path: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(change(file.read_bytes()))
    result = bench(f"model.path={path}")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert message in result.err


def test_an_architecture_that_transformers_does_not_read_is_refused(
    tmp_path: Path, folder: Path
) -> None:
    path = tmp_path / "other.gguf"
    gguf_files.write(path, claimed="rwkv99")
    before = set(folder.iterdir())
    with pytest.raises(ValueError, match="no GGUF file of the architecture 'rwkv99'"):
        models.load_model(str(path))
    assert set(folder.iterdir()) == before


def test_a_scaled_rope_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scaled.gguf"
    gguf_files.write(path, llama__rope__scaling__type="yarn", llama__rope__scaling__factor=4.0)
    with pytest.raises(ValueError, match="the RoPE of this llama is scaled"):
        models.check("hf", str(path))


def test_weights_that_are_missing_are_refused(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "few.gguf"
    gguf_files.write(path, skip="blk.1.ffn_up.weight")
    with pytest.raises(ValueError, match=r"lacks 1 of the weights of a llama, .*up_proj"):
        models.load_model(str(path))
    assert not list(folder.glob(".making-*"))


def test_without_the_packages_the_extra_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf, "PACKAGES", ("gguf", "no_such_package"))
    with pytest.raises(ValueError, match=r"there is no no_such_package: pip install .*\[gguf\]"):
        models.check("hf", str(file))


def test_a_full_disk_is_told_beforehand(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "full.gguf"
    gguf_files.write(path, kind="F16")
    monkeypatch.setattr(gguf.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match="set SQUEEZED_MODELS to another folder"):
        gguf.local(path)


def convert(path: Path, folder: Path, started: Any) -> None:
    """In a process of its own: converts, and notes each model that it writes."""
    os.environ["SQUEEZED_MODELS"] = str(folder)
    save = PreTrainedModel.save_pretrained

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        folder.with_name(f"saved-{os.getpid()}").touch(exist_ok=False)
        return save(self, *args, **kwargs)

    PreTrainedModel.save_pretrained = counted
    started.wait()
    gguf.local(path)


@pytest.mark.slow
def test_two_processes_convert_once(tmp_path: Path) -> None:
    path, shared = tmp_path / "tiny.gguf", tmp_path / "shared"
    gguf_files.write(path)
    barrier = PROCESSES.Barrier(2)
    both = [PROCESSES.Process(target=convert, args=(path, shared, barrier)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert [each.exitcode for each in both] == [0, 0]
    assert len(list(tmp_path.glob("saved-*"))) == 1
    names = {each.name for each in shared.iterdir() if each.is_dir()}
    assert names == {kept.folder_of(kept.sha256_of(path)).name, "sums"}


def test_support_is_told_of_a_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check([str(file)]) == 0
    assert "llama" in capsys.readouterr().out
    assert check([str(file.with_name("nowhere.gguf"))]) == 2
    assert "no such file" in capsys.readouterr().err
