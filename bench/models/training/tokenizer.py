"""Trains the byte-level BPE tokenizer of the embedded model.

Byte-level, so any text encodes. Digits are grouped by three (a 7-digit value is three tokens) and never
merge with a blank, so that one number has one spelling wherever it stands.
"""

import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from ruler.prompts import SUITE
from ruler.sources import words

VOCAB_SIZE = 8192
BOS, EOS, PAD = "<|begin|>", "<|end|>", "<|pad|>"
PIECES = r"\n| ?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def corpus(seed: int = 0) -> Iterator[str]:
    """Text whose merges matter here: every word in the spellings keys have, every 3-digit group, wording."""
    rng = random.Random(seed)
    wording = SUITE.niah
    for noun in words.nouns():
        yield f"{noun} {noun}-{noun}"
    for adjective in words.adjectives():
        yield f" {adjective}" * 6
    for _ in range(20):
        yield (
            " ".join(f"{n:03d}" for n in range(1000))
            + " "
            + " ".join(f"{n:02d}" for n in range(100))
        )
    for text in vars(wording).values():
        yield text * 50
    for _ in range(2000):
        yield words.draw("uuids", rng)


def train() -> PreTrainedTokenizerFast:
    """The tokenizer; the same on every machine for one wonderwords version."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=PAD
    )


def main() -> None:
    folder = Path(__file__).resolve().parents[1] / "mini"
    train().save_pretrained(folder)
    print(f"wrote the tokenizer to {folder}")


if __name__ == "__main__":
    main()
