"""Lookups and steps of one shape, timed in turns."""

from collections.abc import Callable
from functools import partial

import pandas as pd
import torch
from squeezed_kernels import attend, attend_groups, children, empty_table, keep_best, lookup

from bench.reporting.output import as_markdown, write_text
from bench.timing.kernels import clock
from bench.timing.kernels.machine import processor_name
from bench.timing.lookups.reads import Reading
from bench.timing.lookups.settings import Settings
from squeezed.methods.coded import CodedKeys
from squeezed.methods.sketched import Lookup

DENSE = "dense step"
SHARE = 0.05  # clusters of the keys
MANY = 0.2
ABOVE = 0.01  # clusters of the level above, as in the paper
DROPS = (0.5, 0.75)  # of the keys, by the level above; the paper's is the first
BUDGET = 0.1  # of the bytes of a dense step, lookup included
BITS = 1  # of an entry of a code

Step = Callable[[], object]


def steps(query_heads: int, kv_heads: int, size: int, keys: int) -> dict[str, Step]:
    """What is timed, by name: one query token a query head, keys and values float32."""
    made = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=made)

    def table() -> torch.Tensor:
        """Keys or values, in memory as an index has them."""
        empty = empty_table(kv_heads, keys, size, dtype=torch.float32)
        return empty.normal_(generator=made)

    query, scale = normal(1, query_heads, 1, size), size**-0.5
    rows, values = table(), table()
    each = torch.ones(kv_heads, keys, dtype=torch.int32)
    above, few, many = (round(share * keys) for share in (ABOVE, SHARE, MANY))
    centroids, counts, offsets, below = {}, {}, {}, {}

    def parts(whole: int, into: int) -> torch.Tensor:
        ends = torch.linspace(0, whole, into + 1, dtype=torch.float64).round().int()
        return ends.expand(kv_heads, -1).contiguous()

    for groups in (above, few, many):
        centroids[groups], offsets[groups] = normal(kv_heads, groups, size), parts(keys, groups)
        counts[groups] = offsets[groups].diff(dim=1).contiguous()
        below[groups] = parts(groups, above)
    whole_bytes = -(-size * BITS // 8)
    codes = torch.randint(0, 256, (kv_heads, keys, whole_bytes), generator=made, dtype=torch.uint8)
    maps = normal(kv_heads, 8 * whole_bytes, size)

    def by_centroids(groups: int, candidates: torch.Tensor | None = None) -> torch.Tensor:
        return lookup(query, centroids[groups], counts[groups], scale, candidates=candidates)

    def in_two_levels(groups: int, drop: float) -> torch.Tensor:
        left = torch.tensor((1 - drop) * keys)
        keep = keep_best(by_centroids(above), counts[above], left)
        return by_centroids(groups, children(keep, below[groups], total=groups))

    coded = CodedKeys(centroids[few], offsets[few], codes, maps)

    def by_codes() -> torch.Tensor:
        return coded.log_scores(query, None, Lookup(scale, None, None, "mean", "auto"))

    # In tokens: a centroid is half of one; a code and a centroid of 8 bits are bytes of 8 a number.
    left = {
        "centroids": BUDGET * keys - few / 2,
        "codes": BUDGET * keys - keys * whole_bytes / (8 * size) - few / 8,
    }

    def step_by_centroids() -> torch.Tensor:
        keep = keep_best(by_centroids(few), counts[few], torch.tensor(left["centroids"]))
        return attend_groups(query, rows, values, keep, offsets[few], scale)[0]

    def step_by_codes() -> torch.Tensor:
        keep = keep_best(by_codes(), each, torch.tensor(left["codes"]))
        return attend_groups(query, rows, values, keep, None, scale)[0]

    order = torch.rand(kv_heads, few, generator=made).argsort(dim=1)
    chosen = order < round(BUDGET * few)  # of equal size, so their rows are that share of all
    every = torch.ones(kv_heads, 1, dtype=torch.bool)
    one = torch.tensor([[0, keys]]).expand(kv_heads, -1)
    kept = chosen[None, :, None].contiguous()
    whole, tenth = (
        Reading.of(rows, values, *each) for each in ((every, one), (chosen, offsets[few]))
    )

    return {
        DENSE: lambda: attend(query, rows[None], values[None], None, scale),
        f"attention to {BUDGET:.0%} of the clusters": (
            lambda: attend_groups(query, rows, values, kept, offsets[few], scale)[0]
        ),
        "all rows, only read": whole.sum,
        f"{BUDGET:.0%} of the clusters, only read": tenth.sum,
        f"lookup of {SHARE:.0%} centroids": lambda: by_centroids(few),
        f"lookup of {MANY:.0%} centroids": lambda: by_centroids(many),
        **{
            f"lookup of {share:.0%} centroids below {ABOVE:.0%}, {drop:.0%} dropped": (
                partial(in_two_levels, groups, drop)
            )
            for share, groups in ((SHARE, few), (MANY, many))
            for drop in DROPS
        },
        f"lookup of codes, {BITS} bit": by_codes,
        "lookup of whole keys": lambda: lookup(query, rows, each, scale),
        f"step by centroids, budget {BUDGET:g}": step_by_centroids,
        f"step by codes, budget {BUDGET:g}": step_by_codes,
    }


def run(shapes: list[tuple[int, int, int]], settings: Settings) -> None:
    """Measures shape by shape and writes the table after each, so that nothing measured is lost."""
    torch.set_num_threads(settings.threads)
    found: list[dict[str, object]] = []
    for query_heads, kv_heads, size in shapes:
        for keys in settings.lengths:
            print(f"{query_heads}/{kv_heads} heads of {size}, {keys} keys", flush=True)
            times = clock.measure(
                steps(query_heads, kv_heads, size, keys), torch.device("cpu"), settings.seconds
            )
            for what, each in times.items():
                found.append(
                    {
                        **{"query_heads": query_heads, "kv_heads": kv_heads, "head_size": size},
                        **{"keys": keys, "what": what, "median_ms": each.median},
                        **{"low_ms": each.low, "high_ms": each.high, "cpu_ms": each.cpu},
                        "of_dense": each.median / times[DENSE].median,
                        **{"rounds": each.rounds, "threads": settings.threads},
                        **{"device": processor_name(), "torch": torch.__version__},
                    }
                )
            _write(pd.DataFrame(found), settings)


def _write(table: pd.DataFrame, settings: Settings) -> None:
    folder = settings.results / "tables"
    shown = table[["query_heads", "kv_heads", "keys", "what", "median_ms", "of_dense"]]
    csv = write_text(folder / "lookups.csv", table.to_csv(index=False, float_format="%.6g"))
    write_text(folder / "lookups.md", f"{as_markdown(shown)}\n")
    print(as_markdown(shown.tail(table["what"].nunique())), f"\nwrote {csv}", flush=True)
