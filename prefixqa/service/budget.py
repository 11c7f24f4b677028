"""What may be spent: every request is reserved at its highest price before it is sent."""

import asyncio

from prefixqa.service.accounts import Accounts
from prefixqa.service.errors import BudgetError
from prefixqa.service.request import Request
from prefixqa.service.store import Store


class Budget:
    """One account for all that a store holds: answers paid now or before, and requests without an answer,
    which may have been paid."""

    def __init__(self, limit: float | None, store: Store, accounts: Accounts) -> None:
        """``limit``: in the unit of the prices; None: there is none."""
        self._limit = limit
        self._store = store
        self._accounts = accounts
        self._paid = store.paid()
        self._held: set[str] = set()  # of this run
        self._waiting: list[asyncio.Future[None]] = []

    async def reserve(self, key: str, request: Request) -> None:
        """Notes that a request is sent now. Where it does not fit beside those that are under way, waits
        for what they really cost.

        Raises:
            BudgetError: it might cost more than what is left. StoreError, StoreFullError: as the store.
        """
        tokens_in, tokens_out = request.most_tokens()
        while (left := self._left()) is not None:
            price = self._accounts.prices.cost(tokens_in, tokens_out) or 0.0
            if price <= left:
                break
            if not self._held:
                raise BudgetError(
                    f"openai.max_cost is {self._limit:g}, {max(left, 0.0):.4f} of it is left, and the next "
                    f"request may cost {price:.4f}; raise it to go on"
                )
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting
        self._store.hold(key, tokens_in, tokens_out)
        self._held.add(key)

    def refused(self, key: str) -> None:
        """The request costs nothing."""
        if key in self._held:
            self._store.release(key)
            self._settled(key)

    def lost(self, key: str) -> None:
        """The request gets no answer, though it may have been paid."""
        if key in self._held:
            self._store.lose(key)
            self._settled(key)

    def answered(self, key: str) -> None:
        """The answer is kept and counted."""
        self._settled(key)

    def _settled(self, key: str) -> None:
        self._held.discard(key)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def _left(self) -> float | None:
        if self._limit is None:
            return None
        _, held_in, held_out = self._store.held()
        new = self._accounts
        spent = self._accounts.prices.cost(
            self._paid[0] + new.new_in + held_in, self._paid[1] + new.new_out + held_out
        )
        return self._limit - (spent or 0.0)
