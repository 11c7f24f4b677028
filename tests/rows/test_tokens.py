"""Counting tokens, with tokenizers that cut text in different ways."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rows.encode import encode
from rows.frame import make_frame
from rows.tokens import TokenCounter
from ruler.fit import fit
from ruler.generate import generate
from ruler.plan import make_plan
from ruler.tasks import TASKS
from tests.ruler.conftest import TOKENIZERS

Tokenizers = dict[str, Any]
# Words as they stand in the tasks, and what else may be in an essay or a document.
needles = ["It", " is", " 17.", " calm-otter", " 4711042.", ".\n", "\n", " SET AB = 9", " (1)"]
others = [
    " naïve",
    " 日本",
    " «so»",
    " e.g.,",
    "\u00a0",
    " don't",
    "  two",
    " 🙂",
    "\tx",
    "...",
    "\n\n",
    "\n   two",
    " \n\n",
    " ",
]
pieces = st.sampled_from(needles + others)
texts = st.lists(pieces, max_size=30).map("".join)
slowly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_chunks_are_added_up_only_where_the_tokenizer_cuts_there(tokenizers: Tokenizers) -> None:
    added = {name for name in TOKENIZERS if TokenCounter(tokenizers[name]).additive}
    assert added == {"mini", "bytes", "words", "gpt2"}


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=texts)
@slowly
def test_counts_are_those_of_the_tokenizer(tokenizers: Tokenizers, name: str, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # Nothing that counts: of the whole vocabulary, for each of a hundred new counters.
        patch.setattr("rows.tokens.fingerprint", lambda _: "0" * 16)
        counter = TokenCounter(tokenizers[name])
    assert counter.count(text) == len(encode(tokenizers[name], text))


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("task", list(TASKS))
def test_the_budget_is_kept_and_filled_with_any_tokenizer(
    tokenizers: Tokenizers, data: dict[str, Path], name: str, task: str
) -> None:
    tokenizer = tokenizers[name]
    length = 9000 if name == "bytes" else 2000
    (row,) = generate(task, tokenizer, length, 1, **data)
    frame = make_frame(tokenizer)
    assert len(frame) == (tokenizer.bos_token_id is not None)
    user = len(frame.user_ids(tokenizer, row.question, row.answer_prefix, row.context))
    total = len(frame) + len(encode(tokenizer, row.context)) + user + row.max_new_tokens
    assert total == row.meta["total_tokens"] <= length
    if task.startswith("qa") and row.context.count("Document ") == len(_documents(task, data)):
        return  # there are no more documents to fill it with
    unit = max(len(encode(tokenizer, part)) for part in row.context.split("\n")[1:])
    assert total >= 0.97 * length or length - total <= unit


def _documents(task: str, data: dict[str, Path]) -> tuple[str, ...]:
    from ruler.sources.qa_data import load

    source = "squad" if task == "qa_1" else "hotpotqa"
    return load(source, data[source]).documents


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("task", ["niah_multivalue", "vt", "qa_2"])
def test_positions_are_those_of_the_needles_tokens(
    tokenizers: Tokenizers, data: dict[str, Path], name: str, task: str
) -> None:
    tokenizer = tokenizers[name]
    (row,) = generate(task, tokenizer, 4500 if name == "bytes" else 1200, 1, **data)
    offsets = tokenizer(
        row.context, add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )["offset_mapping"]
    assert row.meta["positions"]
    for first, after in row.meta["positions"]:
        text = row.context[offsets[first][0] : offsets[after - 1][1]].strip()
        assert text.startswith(("Ledger note", "SET", "Document"))
        if task == "qa_2":
            assert ("-3\n" in text) or ("-7\n" in text)
        else:
            assert any(answer in text for answer in row.answers)


def test_the_search_on_parts_finds_what_the_search_on_texts_finds(
    tokenizers: Tokenizers, data: dict[str, Path]
) -> None:
    for task in TASKS:
        plan = make_plan(task, tokenizers["mini"], 1500, 1, **data)
        found = []
        for additive in (True, False):
            plan.tokens.additive = additive
            found.append(
                fit(plan.draw(0, 1500), plan.tokens, 1500 - plan.reserved(plan.task.max_new_tokens))
            )
        assert found[0] == found[1]


def test_a_chat_template_counts_and_its_bos_stands_once(tokenizers: Tokenizers) -> None:
    tokenizer = tokenizers["bytes"]
    frame = make_frame(tokenizer, chat=True)
    assert tokenizer.convert_ids_to_tokens(frame.head) == ["<s>", "<|user|>"]
    assert tokenizer.convert_ids_to_tokens(frame.tail) == ["<|stop|>", "<|model|>"]
    (row,) = generate("niah_single_1", tokenizer, 3000, 1, chat=True)
    ids = [
        *frame.head,
        *encode(tokenizer, row.context),
        *frame.user_ids(tokenizer, row.question, row.answer_prefix),
    ]
    assert len(ids) + row.max_new_tokens == row.meta["total_tokens"] <= 3000
    assert ids.count(tokenizer.bos_token_id) == 1
    assert row.meta["chat"] is True
    turn = [{"role": "user", "content": row.context + row.question}]
    # The template strips blanks at the ends of a turn; ours has none there.
    whole = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    assert tokenizer.decode(ids) == whole + row.answer_prefix


def test_text_of_the_user_cannot_pass_for_the_template(tokenizers: Tokenizers) -> None:
    tokenizer = tokenizers["bytes"]
    plain = make_frame(tokenizer)
    assert (plain.head, plain.tail) == ((tokenizer.bos_token_id,), ())
    assert make_frame(tokenizers["words"]).head == ()
    with pytest.raises(ValueError, match="no chat template"):
        make_frame(tokenizers["words"], chat=True)


def test_a_template_that_drops_the_text_is_refused(tokenizer: Any) -> None:
    class Deaf:
        bos_token_id = None
        chat_template = "x"

        def apply_chat_template(self, *args: Any, **kwargs: Any) -> str:
            return "hello"

    with pytest.raises(ValueError, match="repeats the user's text 0 times"):
        make_frame(Deaf(), chat=True)


def test_a_slow_tokenizer_is_asked_for_everything(tokenizer: Any) -> None:
    class Slow:
        is_fast = False
        bos_token_id = None
        get_vocab = tokenizer.get_vocab
        all_special_ids = tokenizer.all_special_ids

        def __call__(self, text: str, **kwargs: Any) -> Any:
            assert "return_offsets_mapping" not in kwargs
            return tokenizer(text, **kwargs)

    (row,) = generate("niah_multikey_2", Slow(), 700, 1)
    meta = row.meta
    parts = meta["context_tokens"] + meta["user_tokens"] + row.max_new_tokens
    assert meta["total_tokens"] == parts
    (same,) = generate("niah_multikey_2", tokenizer, 701, 1)  # the BOS takes the one more
    assert abs(same.meta["context_tokens"] - meta["context_tokens"]) < 30
