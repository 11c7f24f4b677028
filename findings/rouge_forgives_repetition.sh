#!/usr/bin/env bash
# Title: the "rouge" package, LongBench's scorer, gives full marks to an answer that repeats itself fifty
#   times, and to words in reverse order.
#
# One would expect: ROUGE counts words. Fifty copies of the right sentence have a precision near 1/50, so
#   an F near 0.04. ROUGE-L looks at order: the words backwards score low.
# What happens: the scores work on sets of distinct words. Fifty copies of the reference score 1.0 and not
#   0.04. ROUGE-L takes the union over sentences, which end at a full stop. The words backwards, with a
#   full stop after each, score 1.0.
# Why it matters: a loop that repeats one sentence until the limit is the typical failure of a model whose
#   cache was cut too far. LongBench's summaries, samsum and dureader are scored by this package. It
#   does not see the failure. A more usual implementation does.
# How sure: certain.
# Versions: rouge 1.0.1, rouge-score 0.1.2 for comparison.
# Source: found by running it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check rouge==1.0.1 rouge-score==0.1.2
cat > "$tmp/probe.py" <<'PY'
import importlib.metadata
import sys

from rouge import Rouge
from rouge_score.rouge_scorer import RougeScorer

reference = "the treaty was signed in paris by both states ."
looped = " ".join([reference] * 50)
words = "a b c d e f"
backwards = "f . e . d . c . b . a"


def set_based(prediction, gold):
    scores = Rouge().get_scores([prediction], [gold], avg=True)
    return round(scores["rouge-1"]["f"], 2), round(scores["rouge-l"]["f"], 2)


def counting(prediction, gold):
    scores = RougeScorer(["rouge1", "rougeL"]).score(gold, prediction)
    return round(scores["rouge1"].fmeasure, 2), round(scores["rougeL"].fmeasure, 2)


print("rouge", importlib.metadata.version("rouge"), "rouge-score", importlib.metadata.version("rouge-score"))
print("Guess: fifty copies of the reference about 0.04; words backwards about 0.17 in ROUGE-L.")
print("Seen (ROUGE-1, ROUGE-L):")
loop, order = set_based(looped, reference), set_based(backwards, words)
loop_counted, order_counted = counting(looped, reference), counting(backwards, words)
print("  fifty copies:    rouge", loop, " rouge-score", loop_counted)
print("  words backwards: rouge", order, " rouge-score", order_counted)
same = loop[0] > 0.9 and loop[1] > 0.9 and max(loop_counted) < 0.05 and order[1] == 1.0 and order_counted[1] < 0.2
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
