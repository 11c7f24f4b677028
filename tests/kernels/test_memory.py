"""Tables in huge pages are tensors like any other."""

import gc

import pytest
import torch
from squeezed_kernels import empty_table


@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 3000, 128), (4, 1 << 18, 8)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_holds_what_is_written_after_its_maker_is_gone(shape, dtype):
    table = empty_table(*shape, dtype=dtype)
    assert table.shape == shape
    assert table.dtype == dtype
    assert table.is_contiguous()
    want = torch.arange(table.numel()).remainder(251).view(shape).to(dtype)
    table.copy_(want)
    gc.collect()
    assert torch.equal(table, want)


def test_large_ones_begin_at_a_huge_page():
    assert empty_table(1 << 20, dtype=torch.float32).data_ptr() % (1 << 21) == 0


def test_other_devices_get_plain_memory():
    assert empty_table(1 << 20, dtype=torch.float32, device="meta").device.type == "meta"
