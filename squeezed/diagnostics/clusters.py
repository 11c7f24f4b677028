"""How evenly an index spreads its keys over clusters, as rows of a table."""

from dataclasses import fields

from squeezed.clustering import cluster_statistics
from squeezed.context.data import Context
from squeezed.diagnostics.table import Row


def cluster_rows(ctx: Context) -> list[Row]:
    """Statistics of the cluster sizes, a row for each layer, level (0 is the coarsest) and KV head.

    Sizes are numbers of keys; columns as in ``squeezed.clustering.ClusterStatistics``.
    """
    rows: list[Row] = []
    for number, layer in enumerate(ctx.layers):
        for depth, level in enumerate(layer.levels):
            statistics = cluster_statistics(level.counts)
            columns = {
                each.name: getattr(statistics, each.name).tolist() for each in fields(statistics)
            }
            for head in range(layer.heads):
                place: Row = {"layer": number, "level": depth, "head": head}
                rows.append(place | {name: values[head] for name, values in columns.items()})
    return rows
