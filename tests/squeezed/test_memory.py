"""How much memory a context takes while it is prepared, beside what is kept of it."""

import pytest

import squeezed
from tests.squeezed.conftest import random_ids, tiny_llama
from tests.squeezed.live import Live

SHAPE = {
    "head_dim": 32,
    "max_position_embeddings": 8192,
}  # keys and values weigh more than activations


# K-means holds up to three copies of one layer's keys, so few layers take a larger share.
@pytest.mark.parametrize(("layers", "most"), [(3, 1.6), (12, 1.25)])
def test_preparing_takes_little_beside_keys_and_values(layers, most):
    model = tiny_llama(4, layers=layers, **SHAPE)
    with Live() as live:
        context = squeezed.prepare(model, random_ids(2048, 0), chunk=128)
    assert live.peak > context.kv_bytes  # it sees them
    assert live.peak < most * context.kv_bytes


def test_an_index_on_the_disk_is_small_beside_keys_and_values(tmp_path):
    context = squeezed.prepare(tiny_llama(4, **SHAPE), random_ids(4096, 0))
    context.save(tmp_path / "index", keys_values=False)
    size = sum(file.stat().st_size for file in (tmp_path / "index").rglob("*") if file.is_file())
    assert size < 0.04 * context.kv_bytes
