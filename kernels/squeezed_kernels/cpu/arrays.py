"""Operations whose loops take whole arrays: K-means' inner steps, hash tables, rows with weights."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch

from squeezed_kernels import clusters as in_torch
from squeezed_kernels.cpu import cluster, hashes, weighted
from squeezed_kernels.cpu.team import team

# How the loops take the numbers of a table.
TABLE = {torch.float32: np.float32, torch.bfloat16: np.uint16, torch.float16: np.int16}
# Of keys to centroids, held at once: a megabyte, which stays in a core's cache.
SIMILARITIES = 1 << 18


def assign(points: torch.Tensor, centroids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As ``clusters.assign``."""
    if points.dtype != torch.float32:
        return in_torch.assign(points, centroids)
    labels = torch.empty(points.shape[:2], dtype=torch.int64)
    similarity = torch.empty(points.shape[:2])
    step = max(1, SIMILARITIES // centroids.shape[1])
    for rows, own, found, best in zip(points, centroids, labels, similarity, strict=True):
        for part in (slice(at, at + step) for at in range(0, len(rows), step)):
            products = torch.mm(rows[part], own.T)  # what a processor does best
            cluster.best(products.numpy(), found[part].numpy(), best[part].numpy())
    return labels, similarity


def own_products(rows: torch.Tensor, centres: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """As ``clusters.own_products``."""
    if rows.dtype != torch.float32:
        return in_torch.own_products(rows, centres, labels)
    found = torch.empty(rows.shape[:2])
    for each in zip(*map(as_array, (rows, centres, labels, found)), strict=True):
        cluster.own_products(*each)
    return found


def label_sums(
    rows: torch.Tensor, weights: torch.Tensor, labels: torch.Tensor, clusters: int
) -> torch.Tensor:
    """As ``clusters.label_sums``."""
    if rows.dtype != torch.float32:
        return in_torch.label_sums(rows, weights, labels, clusters)
    found = torch.zeros(len(rows), clusters, rows.shape[2])
    for each in zip(*map(as_array, (rows, weights, labels, found)), strict=True):
        cluster.label_sums(*each)
    return found


def label_order(labels: torch.Tensor, clusters: int) -> torch.Tensor:
    """As ``clusters.label_order``."""
    found, places = torch.empty_like(labels), torch.empty(clusters, dtype=torch.int64)
    for each in zip(*map(as_array, (labels, found)), strict=True):
        cluster.label_order(each[0], places.numpy(), each[1])
    return found


def label_least(values: torch.Tensor, labels: torch.Tensor, clusters: int) -> torch.Tensor:
    """As ``clusters.label_least``."""
    if values.dtype != torch.float32:
        return in_torch.label_least(values, labels, clusters)
    found, least = torch.empty(len(labels), clusters, dtype=torch.int64), torch.empty(clusters)
    for each in zip(*map(as_array, (values, labels, found)), strict=True):
        cluster.label_least(*each[:2], least.numpy(), each[2])
    return found


def collisions(asked: torch.Tensor, stored: torch.Tensor) -> torch.Tensor:
    """As ``reference.collisions``."""
    found = torch.empty(*asked.shape[:2], stored.shape[2], dtype=torch.int16)
    for each in zip(*map(as_array, (asked, stored, found)), strict=True):
        hashes.collisions(*each)
    return found


def attend_weighted(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    log_weights: torch.Tensor,
    scale: float,
    *,
    softcap: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """As ``sampling.attend_weighted``; rows without weight are not read."""
    out, lse = weighted.attend_weighted(
        team(task_address(weighted.attend_task, keys.dtype)),
        as_array(scale * query.float()),
        as_table(keys),
        as_table(values),
        as_array(log_weights),
        softcap or 0.0,
    )
    return torch.from_numpy(out).view(query.shape), torch.from_numpy(lse).view(query.shape[:3])


def sample_moments(
    query: torch.Tensor,
    keys: torch.Tensor,
    whole: torch.Tensor,
    sample: torch.Tensor,
    scale: float,
    *,
    softcap: float | None = None,
) -> torch.Tensor:
    """As ``sampling.sample_moments``; no other rows are read."""
    marks = torch.add(whole.byte(), sample.byte(), alpha=weighted.SAMPLED)
    found = weighted.sample_moments(
        team(task_address(weighted.sample_task, keys.dtype)),
        as_array(scale * query.float()),
        as_table(keys),
        as_array(marks),
        softcap or 0.0,
    )
    return torch.from_numpy(found).view(*query.shape[:3], 3)


def clustering(points: torch.Tensor) -> None:
    """Every step of a clustering once, which compiles its loops."""
    labels, similarity = assign(points, points)
    own_products(points, points, labels)
    label_sums(points, similarity, labels, points.shape[1])
    label_order(labels, points.shape[1])
    label_least(similarity, labels, points.shape[1])


@cache
def task_address(task: Callable[[Any], Any], dtype: torch.dtype) -> int:
    """Address of a task for a table of a type."""
    address: int = task(TABLE[dtype]).address
    return address


def as_table(tensor: torch.Tensor) -> np.ndarray:
    """Keys or values as a loop takes them: numbers of 16 bits by their bits."""
    if tensor.dtype == torch.float32:
        return as_array(tensor)
    return as_array(tensor.view(torch.int16)).view(TABLE[tensor.dtype])


def as_array(tensor: torch.Tensor) -> np.ndarray:
    """The tensor's numbers as a loop takes them; a copy only where they do not lie in order."""
    array: np.ndarray = tensor.contiguous().numpy()
    return array
