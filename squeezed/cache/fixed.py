"""Layers that attend to the whole fixed context: the selected rows, the window and the own tokens."""

import math

import torch
from squeezed_kernels import (
    attend,
    attend_groups,
    attend_weighted,
    causal_mask,
    decode,
    decode_best,
    merge,
)

from squeezed.cache.accounting import LayerReads, Step
from squeezed.cache.own_tokens import OwnTokensLayer, Progress
from squeezed.cache.placing import valid_tokens
from squeezed.errors import IndexMismatchError
from squeezed.index.layer import LayerIndex
from squeezed.model.logits import Logits
from squeezed.model.states import widened
from squeezed.selection.kept import Rest, Selection, StandIns
from squeezed.selection.selectors import Observing, Ranking, Selector


class FixedContextLayer(OwnTokensLayer):
    """One layer that attends to the whole fixed context, through its index.

    The fixed tensors are never copied or changed: a batch of conversations shares them.
    """

    def __init__(
        self, fixed: LayerIndex, selector: Selector, progress: Progress, backend: str
    ) -> None:
        super().__init__(fixed.tokens, progress)
        self.fixed, self.selector, self.backend = fixed, selector, backend
        self.reads = LayerReads(fixed.tokens)

    def attend(
        self,
        module: torch.nn.Module,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None,
        logits: Logits,
    ) -> torch.Tensor:
        """Attention over the selected fixed rows, the window and the own tokens (paper section 3.2).

        A sink joins the merge as a last part; it is no row of the fixed context, so it is not counted as
        read.
        """
        self.progress.take()
        value_size, size = values.shape[-1], self.fixed.keys.shape[-1]
        wide, keys, values = (widened(each, size) for each in (query, keys, values))
        scale, softcap = logits.scale, logits.softcap
        self._require_same(scale, softcap)
        if self._is_token(wide, keys, values, mask):
            part = self._attend_token(wide, keys, values, scale, softcap)
        else:
            part = self._attend_pass(wide, keys, values, mask, scale, softcap)
        output = logits.finish(*part)
        return output[..., :value_size].to(query.dtype).transpose(1, 2).contiguous()

    def _attend_pass(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None,
        scale: float,
        softcap: float | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Output and log-sum-exp of any number of tokens; what they read is counted."""
        length, backend = query.shape[2], self.backend
        aligned, valid = align(query, valid_tokens(mask), self.selector.block)
        if mask is None and length > 1:  # a single token sees all
            mask = causal_mask(length, keys.shape[2], query.device)
        from_own = attend(query, keys, values, mask, scale, softcap=softcap, backend=backend)
        selection = self._select(aligned, valid, from_own[1], keys.shape[2])
        self._count(selection, aligned, valid)
        part = self._attend_fixed(aligned, selection, scale, softcap)
        from_fixed = part[0][:, :, -length:], part[1][:, :, -length:]
        return merge(from_fixed, from_own, backend=backend)

    def _is_token(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None,
    ) -> bool:
        """A token behind the user input, which is one step of ``decode``."""
        fixed, own = self.fixed.keys, keys.shape[2]
        return (
            mask is None
            and query.shape[2] == 1
            and not self.progress.asks(1, own)
            and (self.selector.block or 1) == 1
            and fixed.device == query.device
            and fixed.dtype == keys.dtype == values.dtype
            and keys.shape == values.shape
            and fixed.shape == self.fixed.values.shape
        )

    def _attend_token(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        scale: float,
        softcap: float | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The same of a token behind the user input, in one step where the method allows it."""
        fixed, selector, backend = self.fixed, self.selector, self.backend
        seen = query, (keys, values), fixed.keys, fixed.values
        ranked = selector.ranked(query) if isinstance(selector, Ranking) else None
        if ranked is not None:
            groups, read = ranked
            out, lse, kept = decode_best(*seen, groups, scale, softcap=softcap, backend=backend)
            self.reads.steps.append(Step(kept, fixed.window, read, self.progress.active))
            return out, lse
        selection = selector.select(query, None)
        self._count(selection, query, None)
        if selection is None:
            return decode(*seen, None, None, scale, softcap=softcap, backend=backend)
        if selection.only_rows:
            kept_rows = selection.keep, selection.offsets
            return decode(*seen, *kept_rows, scale, softcap=softcap, backend=backend)
        mine = attend(query, keys, values, None, scale, softcap=softcap, backend=backend)
        part = self._attend_fixed(query, selection, scale, softcap)
        return merge(part, mine, backend=backend)

    def _select(
        self, query: torch.Tensor, valid: torch.Tensor | None, own: torch.Tensor, tokens: int
    ) -> Selection | None:
        """The method's choice; everything if this is a user input that is attended densely.

        Args:
            own: log-sum-exp of the own tokens' logits, ``[B, Hq, L]``. tokens: own tokens seen.
        """
        if self.progress.asks(own.shape[2], tokens):
            dense = self.progress.dense_question
            if isinstance(self.selector, Observing):
                missing = query.shape[2] - own.shape[2]
                whole = torch.nn.functional.pad(own, (missing, 0), value=-torch.inf)
                self.selector.observe(query, valid, whole, dense)
            if dense:
                return None
        return self.selector.select(query, valid)

    def _require_same(self, scale: float, softcap: float | None) -> None:
        """The index was made for the logits that the model computes; a folder may say something else.

        Raises:
            IndexMismatchError: for others, so that clusters would be chosen by other weights.
        """
        stored = (self.fixed.scale, self.fixed.softcap or 0.0)
        if not all(map(math.isclose, stored, (scale, softcap or 0.0))):
            raise IndexMismatchError(
                f"the index was made for logits with scale and cap {stored}, but the model's are "
                f"{(scale, softcap or 0.0)}; prepare the context again"
            )

    def _attend_fixed(
        self,
        query: torch.Tensor,
        selection: Selection | None,
        scale: float,
        softcap: float | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Output and log-sum-exp over the fixed rows, computed where keys and values live."""
        fixed, home = self.fixed, self.fixed.keys.device
        there = query.to(home)
        backend = self.backend if home == query.device else "auto"
        offsets: torch.Tensor | None
        if selection is not None and selection.log_weights is not None:
            weighed = attend_weighted(
                there,
                fixed.keys,
                fixed.values,
                weights_of_tokens(selection, query).to(home),
                scale,
                softcap=softcap,
                backend=backend,
            )
            out, lse = (tensor.to(query.device) for tensor in weighed)
            return out, lse
        if selection is None:
            keep = torch.ones(len(query), fixed.heads, 1, 1, dtype=torch.bool, device=home)
            everything = torch.tensor([[0, fixed.clustered]], dtype=torch.int32, device=home)
            offsets, block = everything.expand(fixed.heads, -1), None
        else:
            keep, block = selection.keep.to(home), selection.block
            offsets = None if selection.offsets is None else selection.offsets.to(home)
        part = attend_groups(
            there,
            fixed.keys,
            fixed.values,
            keep,
            offsets,
            scale,
            softcap=softcap,
            block=block,
            backend=backend,
        )
        out, lse = (tensor.to(query.device) for tensor in part)
        if selection is not None and selection.stand_ins is not None:
            stand_ins = attend_stand_ins(
                query, selection.stand_ins, selection.block, scale, softcap
            )
            out, lse = merge((out, lse), stand_ins)
        if selection is not None and selection.rest is not None:
            out, lse = merge((out, lse), attend_rest(selection.rest, lse))
        return out, lse

    def _count(
        self, selection: Selection | None, query: torch.Tensor, valid: torch.Tensor | None
    ) -> None:
        fixed, active = self.fixed, self.progress.active
        if selection is None:
            everything = torch.zeros(len(query), fixed.heads, device=fixed.device)
            self.reads.steps.append(Step(everything, fixed.tokens, 0.0, active))
            return
        kept, read = selection.rows(), selection.lookup
        if query.shape[2] == 1 and kept.shape[2] == 1:  # a token: one block, and no padding
            kept = kept[..., 0]
            read = read.expand(*kept.shape, 1)[..., 0] if isinstance(read, torch.Tensor) else read
        else:
            weights = block_weights(query, valid, selection.block)[:, None]  # [B, 1, T]
            read = torch.as_tensor(read, device=kept.device).expand_as(kept)
            kept, read = (kept * weights).sum(-1), (read * weights).sum(-1)
        self.reads.steps.append(Step(kept, fixed.window, read, active))


def weights_of_tokens(selection: Selection, query: torch.Tensor) -> torch.Tensor:
    """Log weights of every query token ``[B, Hq, L, M]``, where those of a selection are of its blocks."""
    assert selection.log_weights is not None
    length = query.shape[2]
    size = length if selection.block is None else selection.block
    if size == 1:
        return selection.log_weights
    return selection.log_weights.repeat_interleave(size, dim=2)[:, :, :length]


def align(
    query: torch.Tensor, valid: torch.Tensor | None, block: int | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Queries ``[B, Hq, L, D]`` padded in front to whole blocks, and which of them are no padding.

    Blocks end with the last token, so that members of a batch, padded in front to one length, have the same
    blocks as they have alone.
    """
    missing = 0 if block is None else -query.shape[2] % block
    if missing == 0:
        return query, valid
    if valid is None:
        valid = torch.ones(len(query), query.shape[2], dtype=torch.bool, device=query.device)
    padded = torch.nn.functional.pad(query, (0, 0, missing, 0))
    return padded, torch.nn.functional.pad(valid, (missing, 0))


def block_weights(
    query: torch.Tensor, valid: torch.Tensor | None, block: int | None
) -> torch.Tensor:
    """Weights ``[B, T]`` that average over the blocks that hold a token."""
    if valid is None:
        valid = torch.ones(len(query), query.shape[2], dtype=torch.bool, device=query.device)
    used = valid.unflatten(1, (-1, block or valid.shape[1])).any(-1).float()
    return used / used.sum(1, keepdim=True).clamp(min=1)


def attend_stand_ins(
    query: torch.Tensor,
    stand_ins: StandIns,
    block: int | None,
    scale: float,
    softcap: float | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention over centroids that each weigh as many keys as they stand for."""
    size = query.shape[2] if block is None else block
    mask = stand_ins.used.repeat_interleave(size, dim=2)[:, :, : query.shape[2]]
    bias = stand_ins.counts.clamp(min=1).float().log()
    keys, values = stand_ins.keys[None], stand_ins.values[None]
    return attend(query, keys, values, mask, scale, softcap=softcap, bias=bias)


def attend_rest(rest: Rest, lse: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The value that stands for what is dropped as a part of the attention: output and log-sum-exp.

    Args:
        lse: log-sum-exp over what is kept and the window, ``[B, Hq, L]``.
    """
    by_query_head = rest.values.float().repeat_interleave(lse.shape[1] // len(rest.values), 0)
    return by_query_head[None, :, None].expand(*lse.shape, -1), lse + rest.log_ratio
