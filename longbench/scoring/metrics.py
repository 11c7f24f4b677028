# ruff: noqa: RUF001 - Chinese text has Chinese punctuation
"""LongBench's metrics: one prediction against one gold answer, in [0, 1].

Each takes ``(prediction, gold, classes, behaviour)``. Behaviour ``official`` is the benchmark's own,
with its oddities, so that scores compare with published ones; ``fixed`` mends what is a mistake
there (``qa_f1`` of answers without words, ``classification`` of nested labels, ``code_sim`` of
answers that begin with a blank line or hold ``#`` or ``//`` inside a line of code).
"""

import difflib
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from longbench.errors import LongBenchError
from longbench.scoring import chinese
from longbench.scoring.rouge import rouge_l

OFFICIAL, FIXED = "official", "fixed"
BEHAVIOURS = (OFFICIAL, FIXED)
Metric = Callable[[str, str, Sequence[str], str], float]

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_NUMBER = re.compile(r"\d+")
_PARAGRAPH, _PARAGRAPH_ZH = re.compile(r"Paragraph (\d+)"), re.compile(r"段落(\d+)")
_DROP = str.maketrans("", "", string.punctuation)
# The punctuation that the benchmark drops from Chinese words, besides ASCII's.
_CHINESE = (
    "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃》「」『』【】〔〕〖〗〘〙〚〛"
    "〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏."
)
_DROP_CHINESE = str.maketrans("", "", string.punctuation + _CHINESE)


def qa_f1(prediction: str, gold: str, classes: Sequence[str], behaviour: str) -> float:
    """F1 of the words that both have, without case, ASCII punctuation and articles."""
    return _f1(_english_words(prediction), _english_words(gold), behaviour)


def qa_f1_zh(prediction: str, gold: str, classes: Sequence[str], behaviour: str) -> float:
    """F1 of the Chinese words that both have, without case and punctuation."""
    return _f1(_chinese_words(prediction), _chinese_words(gold), behaviour)


def rouge(prediction: str, gold: str, classes: Sequence[str], behaviour: str) -> float:
    """ROUGE-L over words between blanks."""
    return rouge_l(prediction, gold)


def rouge_zh(prediction: str, gold: str, classes: Sequence[str], behaviour: str) -> float:
    """ROUGE-L over Chinese words."""
    return rouge_l(" ".join(chinese.words(prediction)), " ".join(chinese.words(gold)))


def classification(prediction: str, gold: str, classes: Sequence[str], behaviour: str) -> float:
    """1 over the number of classes named, if the gold one is among them.

    A class whose name is a part of the gold name is not counted; the official code skips the one
    after each that it drops, so of two such neighbours the second still counts there.
    """
    named = [each for each in classes if each in prediction]
    place = 0
    while place < len(named):
        if named[place] in gold and named[place] != gold:
            named.remove(named[place])
            place += behaviour == OFFICIAL
        else:
            place += 1
    return 1 / len(named) if gold in named else 0.0


def retrieval(prediction: str, gold: str, classes: Sequence[str], behaviour: str) -> float:
    """The share of the numbers in the prediction that are the gold paragraph's."""
    return _numbers(prediction, _paragraph(_PARAGRAPH, gold))


def retrieval_zh(prediction: str, gold: str, classes: Sequence[str], behaviour: str) -> float:
    """As ``retrieval``, in Chinese."""
    return _numbers(prediction, _paragraph(_PARAGRAPH_ZH, gold))


def count(prediction: str, gold: str, classes: Sequence[str], behaviour: str) -> float:
    """The share of the numbers in the prediction that are the gold one."""
    return _numbers(prediction, gold)


def code_sim(prediction: str, gold: str, classes: Sequence[str], behaviour: str) -> float:
    """Similarity of the first line of code to the gold line, in whole hundredths."""
    lines = prediction.lstrip("\n").split("\n")
    is_code = _is_code_officially if behaviour == OFFICIAL else _is_code
    return ratio(next((line for line in lines if is_code(line)), ""), gold)


def ratio(first: str, second: str) -> float:
    """Similarity of two strings in whole hundredths, as fuzzywuzzy computes it over difflib."""
    if first == second:
        return 1.0
    if not first or not second:
        return 0.0
    return round(100 * difflib.SequenceMatcher(None, first, second).ratio()) / 100


def _is_code_officially(line: str) -> bool:
    return not any(mark in line for mark in ("`", "#", "//"))


def _is_code(line: str) -> bool:
    return bool(line.strip()) and not line.strip().startswith(("```", "#", "//"))


def _english_words(text: str) -> list[str]:
    return _ARTICLE.sub(" ", text.lower().translate(_DROP)).split()


def _chinese_words(text: str) -> list[str]:
    cleaned = ("".join(w.lower().translate(_DROP_CHINESE).split()) for w in chinese.words(text))
    return [word for word in cleaned if word]


def _f1(prediction: list[str], gold: list[str], behaviour: str) -> float:
    if behaviour == FIXED and not gold and not prediction:
        return 1.0  # an answer of articles or marks only, repeated exactly
    common = (Counter(prediction) & Counter(gold)).total()
    if common == 0:
        return 0.0
    precision, recall = common / len(prediction), common / len(gold)
    return 2 * precision * recall / (precision + recall)


def _paragraph(pattern: re.Pattern[str], gold: str) -> str:
    found = pattern.search(gold)
    if found is None:
        raise LongBenchError(f"the gold answer {gold!r} names no paragraph ({pattern.pattern})")
    return found[1]


def _numbers(prediction: str, gold: str) -> float:
    numbers = _NUMBER.findall(prediction)
    return numbers.count(gold) / len(numbers) if numbers else 0.0


METRICS: dict[str, Metric] = {
    metric.__name__: metric
    for metric in (
        *(qa_f1, qa_f1_zh, rouge, rouge_zh, classification),
        *(retrieval, retrieval_zh, count, code_sim),
    )
}
