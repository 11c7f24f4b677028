"""``squeezed-bench lm_eval``: lm-evaluation-harness with the model ``squeezed`` in it.

All arguments are the harness's own. Its versions after 0.4.13 know the model by an entry point.
"""

import importlib.util
import sys
from collections.abc import Sequence

from bench.config.errors import InputError
from bench.config.guard import guarded

HELP = """squeezed-bench lm_eval [arguments of lm_eval]

lm-evaluation-harness with one more model, `squeezed`: the fixed context of each prompt is prefilled and
indexed once, and read at a KV budget. All other arguments are those of lm_eval;
--model squeezed is the default.

Model arguments (--model_args), beside those of its model hf:
  method=squeezed_topk   a file of conf/method; its settings by name: kv_budget=0.2, depth=2, ...
  context_field=NAME     the prompt is fixed up to the end of that field of the document
                         (NAME+NAME: of the first of them that it has)
  marker=TEXT            the prompt is fixed up to the last place where TEXT begins
                         (neither: what a task's prompts have in common is fixed)
  window=100             tokens of the observation window
  cache_dir=DIR          keep indexes, for runs at other budgets
  records=FILE.jsonl     a line for each request: its measured budget, its tokens

Examples:
  squeezed-bench lm_eval --tasks drop --model_args pretrained=PATH,kv_budget=0.2,context_field=passage
  squeezed-bench lm_eval --tasks race --model_args pretrained=PATH,method=full,context_field=article
  squeezed-bench lm_eval table out/          scores beside measured budgets, of all results below a folder
  squeezed-bench lm_eval pack out/ FILE      what --log_samples kept of each document, in one file

Exit codes: 0 done, 1 not all could be done, 2 a setting is wrong, 130 stopped by Ctrl-C.
Also: python -m bench.lm_eval"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)

    def work() -> None:
        if given in ([], ["-h"], ["--help"]):
            print(HELP)
        elif given[0] in ("table", "pack"):
            from bench.harness import table

            {"table": table.print_table, "pack": table.pack}[given[0]](given[1:])
        else:
            _evaluate(given)

    return guarded(work, "lm_eval keeps no part of a run; cache_dir=DIR keeps its indexes")


def _evaluate(given: list[str]) -> None:
    if importlib.util.find_spec("lm_eval") is None:
        raise InputError(
            "this needs lm-evaluation-harness: pip install 'squeezed-attention-bench[lm-eval]'"
        )
    from bench.harness.door import run

    run(given)
