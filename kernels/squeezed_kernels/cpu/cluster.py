"""The inner loops of K-means: which centroid is best, how well keys fit theirs, and the sums of clusters.

Matrix products are torch's. What is here reads numbers once that are in the processor's cache already, where
torch would write several arrays of the size of the keys.
"""

import numpy as np

from squeezed_kernels.cpu.jit import exact, sums

WIDE = 8  # columns that are compared at once


@exact
def best(products, labels, similarity):
    """The largest of each row of ``products [M, C]`` and its place, the lower of two that are equal."""
    rows, columns = products.shape
    whole = columns - columns % WIDE
    held = np.empty(WIDE, np.float32)
    for i in range(rows):
        held[:] = products[i, 0]
        for j in range(0, whole, WIDE):
            for lane in range(WIDE):  # no order among lanes: this becomes a vector
                value = products[i, j + lane]
                held[lane] = value if value > held[lane] else held[lane]
        most = held[0]
        for lane in range(1, WIDE):
            most = held[lane] if held[lane] > most else most
        for j in range(whole, columns):
            most = products[i, j] if products[i, j] > most else most
        place = 0
        while products[i, place] < most:
            place += 1
        labels[i] = place
        similarity[i] = most


@sums
def own_products(rows, centres, labels, out):
    """``out[i] = rows[i] . centres[labels[i]]``: ``[M, D]``, ``[C, D]``, ``[M]``."""
    count, size = rows.shape
    for i in range(count):
        own = labels[i]
        total = np.float32(0)
        for d in range(size):
            total += rows[i, d] * centres[own, d]
        out[i] = total


@exact
def label_sums(rows, weights, labels, out):
    """``out[labels[i]] += weights[i] * rows[i]``, row by row: ``[M, D]``, ``[M]``, ``[M]``, ``[C, D]``."""
    count, size = rows.shape
    for i in range(count):
        own, weight = labels[i], weights[i]
        for d in range(size):
            out[own, d] += weight * rows[i, d]


@exact
def label_order(labels, places, out):
    """Row numbers ``out [M]`` by label, those of one label in their order. ``places [C]``: scratch."""
    places[:] = 0
    for i in range(len(labels)):
        places[labels[i]] += 1
    before = 0
    for label in range(len(places)):
        count = places[label]
        places[label] = before
        before += count
    for i in range(len(labels)):
        out[places[labels[i]]] = i
        places[labels[i]] += 1


@exact
def label_least(values, labels, least, out):
    """The row ``out [C]`` of each label with the least of ``values [M]``, the first of equal ones; 0 for a
    label that no row has. ``least [C]``: scratch."""
    least[:] = np.inf
    out[:] = 0
    for i in range(len(values)):
        own = labels[i]
        if values[i] < least[own]:
            least[own] = values[i]
            out[own] = i
