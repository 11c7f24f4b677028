"""Bytes of the tensors that are alive at once, counted while torch makes and frees them."""

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Live(TorchDispatchMode):
    """Counts storages that torch's operations return; ``peak``: the most bytes at one time.

    What compiled loops allocate for themselves is not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for each in tree_leaves(out):
            if isinstance(each, torch.Tensor):
                self._add(each.untyped_storage())
        return out

    def _add(self, storage: torch.UntypedStorage) -> None:
        place = storage._cdata  # of the storage itself: its Python objects come and go
        if place in self._known:
            return
        self._known.add(place)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._drop, place, storage.nbytes())

    def _drop(self, place: int, size: int) -> None:
        self._known.discard(place)
        self.now -= size
