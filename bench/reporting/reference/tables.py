"""Reference studies whose records are one table: timings, attention by head, controls, a harness."""

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.reporting.figures import clustering, kernels, style
from bench.reporting.figures.looks import looks
from bench.reporting.reference import harness, profile, waits
from bench.reporting.reference.made import Made, several


def _kernels(rows: pd.DataFrame) -> Made:
    """Decode steps at sparsity 0.9 and depth 1: how many times as fast as what there is otherwise."""
    ours = rows[(rows["provider"] == "squeezed") & (rows["query_tokens"] == "1")]
    ours = ours[(ours["sparsity"] == "0.9") & (ours["depth"] == "1")]
    shown = pd.DataFrame(
        {
            "heads": ours["query_heads"] + "/" + ours["kv_heads"] + ", " + ours["dtype"],
            "keys": ours["context"].astype(int),
            "ms, median": ours["median_ms"].astype(float),
            "times SDPA": ours["vs_sdpa"].astype(float),
            "times the fastest dense": ours["vs_fastest_dense"].astype(float),
        }
    )
    if "source" in rows:
        shown = _over_layers(shown.assign(source=ours["source"], cpu=ours["cpu_ms"].astype(float)))
    figure = kernels.draw(rows.astype(str).to_dict("records"), "speedup")  # type: ignore[arg-type]
    facts = {
        "machine": f"{several(rows['device'])}, {several(rows['threads'])} threads",
        "commit": several(rows["commit"]),
        "libraries": f"torch {several(rows['torch'])}, {several(rows['compiler'])}",
        "n": f"{len(rows)} timings, each the median of {rows['rounds'].astype(int).min()} rounds or more",
    }
    return Made(rows, shown, figure, facts)


def _over_layers(timed: pd.DataFrame) -> pd.DataFrame:
    """A row a source, heads and length: medians over the layers of an index, and how far they go."""
    rows = []
    keys = ["source", "heads", "keys"]
    for (source, heads, length), layers in timed.groupby(keys, sort=False):
        several = f" ({len(layers)} layers)" if len(layers) > 1 else ""
        row = {"keys of": f"{source}{several}", "heads": heads, "keys": length}
        row["ms, median (of CPU)"] = (
            f"{layers['ms, median'].median():.3f} ({layers['cpu'].median():.3f})"
        )
        for name in ("times SDPA", "times the fastest dense"):
            ratios = layers[name]
            ends = f" ({ratios.min():.2f} to {ratios.max():.2f})" if several else ""
            row[name] = f"{ratios.median():.2f}{ends}"
        rows.append(row)
    return pd.DataFrame(rows)


def _clustering(rows: pd.DataFrame) -> Made:
    """Our K-means beside scikit-learn's: inertia and processor seconds as ratios."""
    ours = rows[rows["solver"] != "scikit-learn KMeans"]
    shown = pd.DataFrame(
        {
            "keys of": ours["data"],
            "clusters": ours["clusters"].astype(int),
            "budget": ours["budget"],
            "inertia, scikit-learn = 1": ours["inertia / scikit-learn"].astype(float),
            "time, scikit-learn = 1": ours["time / scikit-learn"].astype(float),
        }
    )
    bars = pd.DataFrame(
        {
            "label": ours["data"] + ", " + ours["budget"],
            "time": ours["time / scikit-learn"].astype(float),
            "inertia": ours["inertia / scikit-learn"].astype(float),
        }
    )
    facts = {"n": f"{len(rows)} rows, each the mean of {several(rows['seeds'])} seeds"}
    return Made(rows, shown, clustering.draw(bars), facts)


def _lookups(rows: pd.DataFrame) -> Made:
    """Lookups and steps beside a dense step: milliseconds, and its share."""
    table = rows.assign(
        heads=rows["query_heads"] + "/" + rows["kv_heads"] + " of " + rows["head_size"],
        keys=rows["keys"].astype(int),
        cell=[
            f"{float(ms):.2f} ({float(share):.2f})"
            for ms, share in zip(rows["median_ms"], rows["of_dense"], strict=True)
        ],
    )
    shown = table.pivot_table(
        index=["heads", "what"], columns="keys", values="cell", aggfunc="first", sort=False
    )
    shown = shown.rename(columns=lambda keys: f"{keys:,} keys: ms (of the dense step)")
    facts = {
        "machine": f"{several(rows['device'])}, {several(rows['threads'])} threads",
        "libraries": f"torch {several(rows['torch'])}",
        "n": f"{len(rows)} timings, each the median of {rows['rounds'].astype(int).min()} rounds or more",
    }
    return Made(rows, shown.reset_index().rename_axis(columns=None), None, facts)


def _memory(rows: pd.DataFrame) -> Made:
    """Peaks beside the keys and values of a context, and what its index takes of the disk."""
    measured = [name for name in map(str, rows) if name.endswith(("_mb", "_share"))]
    numbers = rows.astype(dict.fromkeys(measured, float))
    shown = pd.DataFrame(
        {
            "model": numbers["model"] + ", " + numbers["dtype"],
            "tokens": [f"{int(length):,}" for length in numbers["length"]],
            "layers that see them all": numbers["full_layers"].astype(int),
            "keys and values, MB": [f"{size:,.0f}" for size in numbers["kv_mb"]],
            "most, as a share": numbers["peak_share"],
            "afterwards": numbers["kept_share"],
            "index on the disk": numbers["disk_share"],
        }
    )
    facts = {
        **waits.where_from(rows),
        "threads of a process": several(rows["threads"]),
        "n": f"{len(rows)} contexts, each in a process of its own",
    }
    return Made(rows, shown, None, facts)


def _heads(rows: pd.DataFrame) -> Made:
    """What every method's kept rows hold of the attention: means over layers and heads, and the worst."""
    names = ("kv_budget", "recall", "mass", "oracle_mass")
    table = rows.astype(dict.fromkeys(names, float)).astype({"layer": int, "head": int})
    by_method = table.groupby("label", sort=False)
    shown = pd.DataFrame(
        {
            "read": by_method["kv_budget"].mean(),
            "the oracle's keys that it keeps": by_method["recall"].mean(),
            "attention that it holds": by_method["mass"].mean(),
            "oracle at that size": by_method["oracle_mass"].mean(),
            "a tenth of the heads hold less than": by_method["mass"].quantile(0.1),
        }
    )
    facts = {
        "n": f"{several(rows['questions'])} questions, {table['layer'].nunique()} layers of "
        f"{table['head'].nunique()} KV heads"
    }
    return Made(rows, shown.reset_index(names="method"), _by_layer(table), facts)


@style.applied
def _by_layer(table: pd.DataFrame) -> Figure:
    """Attention that is held, layer by layer: mean over heads, and the span from the worst to the best."""
    figure, grid = style.panels(1, 1, width=6.0, height=3.0)
    axes, look = grid[0][0], looks(table["label"])
    colours = style.colours(map(str, table["label"]))  # few methods: each with a colour of its own
    for label, here in table.groupby("label", sort=False):
        layers = here.groupby("layer")["mass"].agg(["mean", "min", "max"])
        drawn = {**look[str(label)].drawn(), "color": colours[str(label)]}
        axes.plot(layers.index, layers["mean"], label=label, markersize=4, lw=1.2, **drawn)
        axes.fill_between(
            layers.index, layers["min"], layers["max"], color=colours[str(label)], alpha=0.08
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("layer")
    axes.set_ylabel("attention held by\nwhat is read")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _controls(rows: pd.DataFrame) -> Made:
    """Scores of each kind of questions under every control, beside the floor."""
    words = ("subtask", "kind")
    numbers = [name for name in rows if name not in words]
    table = rows.astype({name: float for name in numbers if rows[name].ne("").all()})
    hidden = [name for name in ("density", "context_length", "n") if name in table]
    shown = table.drop(columns=hidden).rename(columns=lambda name: str(name).split(",")[0])
    shown["subtask"] = [
        subtask if kind in ("", subtask) else f"{subtask} {kind}"
        for subtask, kind in zip(table["subtask"], table["kind"], strict=True)
    ]
    facts = {
        "tokens of a context": several(table["context_length"].astype(int)),
        "n": f"{several(table['n'].astype(int))} questions a row",
    }
    return Made(rows, shown.drop(columns="kind"), None, facts)


TABLES: dict[str, Callable[[pd.DataFrame], Made]] = {
    "kernels": _kernels,
    "clustering": _clustering,
    "lookups": _lookups,
    "memory": _memory,
    "waits": waits.made,
    "profile": profile.made,
    "heads": _heads,
    "controls": _controls,
    "harness": harness.at_budgets,
    "harness-hf": harness.beside_hf,
}
