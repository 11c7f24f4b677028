"""A random model of the embedded model's kind, and the command line in this process."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from bench import models
from bench.cli import run as cli
from bench.runs import questions
from bench.tasks import TASKS

DEFAULTS = {"length": 512, "samples": 2, "max_new_tokens": 2}  # of the tasks that have them


@dataclasses.dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint folder of a random two-layer Llama with the embedded model's tokenizer."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny(folder)
    return folder


def write_tiny(folder: Path) -> None:
    """The model of ``tiny``, written into ``folder``."""
    tokenizer = AutoTokenizer.from_pretrained(models.MINI)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=4096,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture
def bench(
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Result]:
    """Runs ``python -m bench`` here, on the random model, with small rows, in ``tmp_path``."""
    logging.disable_progress_bar()  # of weights, which are loaded in the first test of a process only
    defaults = [
        f"model.path={tiny}",
        "model.device=cpu",
        f"results={tmp_path / 'results'}",
        f"cache_dir={tmp_path / 'cache'}",
        *(f"task.{name}={value}" for name, value in DEFAULTS.items()),
    ]

    def run(*arguments: str) -> Result:
        given = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
        task = TASKS.get(given.get("task", "ruler"), TASKS["ruler"])
        lacking = {f"task.{name}" for name in DEFAULTS.keys() - task.conf.__dataclass_fields__}
        kept = [each for each in defaults if each.split("=")[0] not in lacking.union(given)]
        capsys.readouterr()
        code = cli.main([*arguments, *kept])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a model fails the test."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        pytest.fail("a model was loaded")

    questions.loaded_model.cache_clear()
    monkeypatch.setattr(models, "load_model", refuse)
