"""Prompts as the tokenizer itself makes them: eleven kinds of tokenizer, with and without a chat template."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rows.encode import encode, follow
from rows.frame import Frame, make_frame
from rows.tokens import TokenCounter
from rows.turn import Turn, give
from tests.rows.kinds import HEADS, KINDS, build

Tokenizers = dict[str, Any]
CONTEXTS = ("The first line of a document.\nBy the ledger, calm-otter has 4711042.\n", "One two:")
QUESTIONS = ("Which number does the ledger give?", " The answer is", "4711042. ", "\n\nQ", "(x)")
PREFIX = " By the ledger,"


@pytest.fixture(scope="module")
def kinds() -> Tokenizers:
    return build()


def prompt(tokenizer: Any, frame: Frame, context: str, question: str, prefix: str) -> list[int]:
    ids = frame.user_ids(tokenizer, question, prefix, context)
    return [*fixed_part(tokenizer, frame, context), *ids]


def fixed_part(tokenizer: Any, frame: Frame, context: str) -> list[int]:
    head, ids = frame.fixed_ids(tokenizer, context)
    return [*head, *ids]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_plain_prompts_are_the_tokenizers_own(
    kinds: Tokenizers, name: str, context: str, question: str
) -> None:
    tokenizer = kinds[name]
    frame = make_frame(tokenizer)
    assert tokenizer.convert_ids_to_tokens(list(frame.head)) == HEADS[name]
    own = tokenizer(context + question + PREFIX)["input_ids"]
    if name in ("pieces, adds an end", "word pieces"):
        own = own[:-1]  # the prompt goes on
    fixed = [*frame.head, *encode(tokenizer, context)]
    ids = prompt(tokenizer, frame, context, question, PREFIX)
    assert ids[: len(fixed)] == fixed
    if own[: len(fixed)] == fixed:  # a token ends at the border
        assert ids == own
    else:  # no part of the own ids is the question; the text at least is whole
        assert tokenizer.decode(ids).replace(" ", "") == tokenizer.decode(own).replace(" ", "")


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_chat_prompts_are_those_of_apply_chat_template(
    kinds: Tokenizers, name: str, context: str, question: str
) -> None:
    tokenizer = kinds[name]
    frame = make_frame(tokenizer, chat=True)
    turn = [{"role": "user", "content": context + question}]
    own = tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=False)
    text = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
    longer = encode(tokenizer, text + PREFIX)
    fixed = fixed_part(tokenizer, frame, context)
    ids = prompt(tokenizer, frame, context, question, "")
    more = prompt(tokenizer, frame, context, question, PREFIX)
    assert more[: len(ids)] == ids
    if own[: len(fixed)] == fixed:
        assert ids == own
        assert more == longer or longer[: len(own)] != own
    else:
        assert tokenizer.decode(ids).replace(" ", "") == tokenizer.decode(own).replace(" ", "")


def test_a_border_is_found_in_most_cases(kinds: Tokenizers) -> None:
    """The two tests above would say nothing if no token ended at a border."""
    found = {}
    for name, tokenizer in kinds.items():
        frame = make_frame(tokenizer, chat=True)
        turn = [{"role": "user", "content": CONTEXTS[0] + QUESTIONS[0]}]
        own = tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=False)
        fixed = fixed_part(tokenizer, frame, CONTEXTS[0])
        found[name] = own[: len(fixed)] == fixed
    assert all(found.values()), found


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("chat", [False, True])
def test_counts_are_those_of_the_prompt(kinds: Tokenizers, name: str, chat: bool) -> None:
    tokenizer = kinds[name]
    counter = TokenCounter(tokenizer, chat)
    context, question = CONTEXTS[0], QUESTIONS[0]
    counted = len(counter.frame) + counter.count(context) + counter.user(question, PREFIX)
    assert counted == len(prompt(tokenizer, counter.frame, context, question, PREFIX))


@pytest.fixture(scope="module")
def counter(tokenizer: Any) -> TokenCounter:
    return TokenCounter(tokenizer)


texts = st.text(alphabet="aB 1.\n\t-é日", max_size=12)


@given(context=texts, question=texts)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_nothing_changes_for_the_embedded_models_tokenizer(
    tokenizer: Any, counter: TokenCounter, context: str, question: str
) -> None:
    frame = counter.frame
    assert frame.head == (tokenizer.bos_token_id,)
    assert follow(tokenizer, context, question) == encode(tokenizer, question)
    assert frame.user_ids(tokenizer, question, "", context) == encode(tokenizer, question)
    assert counter.user(question, "x") == len(encode(tokenizer, question + "x"))


THINKING = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}<|model|>"
    "{% if enable_thinking is defined and not enable_thinking %}</s>{% endif %}"
)
DATED = (
    "\n  {% macro day(form) %}{{ strftime_now(form) if strftime_now is defined }}{% endmacro %}<|user|>"
    "{{ day('%d %b %Y %-d/%-m 100%%') }} {{ messages[0].content }}<|end|>"
)


def test_a_template_is_given_arguments_and_a_system_turn() -> None:
    tokenizer = KINDS["byte BPE"]()
    tokenizer.chat_template = THINKING
    assert tokenizer.decode(make_frame(tokenizer, chat=True).tail) == "<|end|><|model|>"
    give(tokenizer, Turn.of("Be brief.", {"enable_thinking": False}))
    frame = make_frame(tokenizer, chat=True)
    assert tokenizer.decode(frame.tail) == "<|end|><|model|></s>"
    assert tokenizer.decode(frame.head) == "<|system|>Be brief.<|end|><|user|>"


def test_the_date_in_a_template_stands_still() -> None:
    tokenizer = KINDS["byte BPE"]()
    tokenizer.chat_template = DATED
    frame = make_frame(tokenizer, chat=True)
    assert tokenizer.decode(frame.head) == "\n<|user|>26 Jul 2024 26/7 100% "
    assert frame.wrapping is not None
    assert frame.wrapping.dated
    tokenizer.chat_template = THINKING
    undated = make_frame(tokenizer, chat=True)
    assert undated.wrapping is not None
    assert not undated.wrapping.dated


@pytest.mark.parametrize(
    ("template", "turn", "message"),
    [
        ("{{ raise_exception('roles must alternate') }}", Turn(), "fails: roles must alternate"),
        ("{{ messages[0].content + 1 }}", Turn(), "the chat template fails: "),
        ("{% if %}", Turn(), "the chat template fails: "),
        ("{{ messages[-1].content }}", Turn("Be brief."), "drops the system turn"),
        (THINKING, Turn.of(None, {"enable_thinkin": False, "x_y": 1}), "no variable x_y"),
        ("{{ messages[0].content * 2 }}", Turn(), "repeats the user's text 2 times"),
    ],
)
def test_what_is_wrong_with_a_template_is_one_line(template: str, turn: Turn, message: str) -> None:
    tokenizer = KINDS["byte BPE"]()
    tokenizer.chat_template = template
    give(tokenizer, turn)
    with pytest.raises(ValueError, match=message) as raised:
        make_frame(tokenizer, chat=True)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("arguments", [{"tokenize": True}, {"x": float("nan")}, {"x": object()}])
def test_arguments_that_cannot_be_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^chat_template_kwargs: "):
        Turn.of(None, arguments)
