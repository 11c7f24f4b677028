# %% [markdown]
# # One document, ten questions, three methods, one plot
# A document is read and clustered once, then asked ten questions at several KV budgets: on the embedded
# model, with no network. `read` is measured: bytes of the context that were read, lookup included.
# %%
import matplotlib.pyplot as plt

import squeezed
from bench.models import load_model
from prefixqa.invent import invent
from prefixqa.rows import to_rows
from prefixqa.score import score
from prefixqa.tokens import TokenCounter
from rows.frame import make_frame

model, tokenizer = load_model("mini")  # or load_model("hf", path="FOLDER_OR_HUB_ID")
(made,) = invent(TokenCounter(tokenizer), 1, 10, 2048, 0)
rows = list(to_rows(made, "template", TokenCounter(tokenizer)))
print(rows[0].context[:300], *(row.meta["question"] for row in rows), sep="\n")
# %% [markdown]
# Prefill and cluster the document. Its index can be kept (`ctx.save`) and asked in another process.
# %%
frame = make_frame(tokenizer)
head, ids = frame.fixed_ids(tokenizer, rows[0].context)
ctx = squeezed.prepare(model, [*head, *ids])
asked = [frame.user_ids(tokenizer, r.question, r.answer_prefix, context=r.context) for r in rows]
# %% [markdown]
# Ask all ten questions with each method at each budget; the mean token F1 of the answers is the score.
# %%
budgets = (0.15, 0.3, 0.6)
methods = {
    "full": [squeezed.Full()],
    "squeezed": [squeezed.Squeezed(kv_budget=b, rule="topk") for b in budgets],
    "streaming": [squeezed.StreamingLLM(kv_budget=b) for b in budgets],
}
for name, sizes in methods.items():
    points = []
    for method in sizes:
        out = squeezed.generate(model, ctx, asked, method=method, max_new_tokens=20)
        said = tokenizer.batch_decode(out.sequences, skip_special_tokens=True)
        right = [
            score(a, r.answers, r.answer_prefix)["f1"] for a, r in zip(said, rows, strict=True)
        ]
        points.append((out.stats.kv_budget, sum(right) / len(right)))
        print(f"{name:<10} read {points[-1][0]:.3f}  F1 {points[-1][1]:.3f}")
    plt.plot(*zip(*points, strict=True), marker="o", label=name)
plt.gca().set(xlabel="read (measured KV budget)", ylabel="token F1", ylim=(0, 1.05))
plt.legend()
plt.savefig("ten_questions.png")
