# SPDX-License-Identifier: AGPL-3.0-only
"""Index prices as the exchange sees them: of the oracle that it names at the block that is asked about."""

from collections.abc import Sequence

from keeper.functions import ORACLE, PRICE
from keeper.ports import Call, Chain, Head, RefusedError
from keeper.reading import ask
from ouro.markets import readable_price

ANSWER_BYTES = 64
"""Of `price`: the Exchange takes a shorter answer for none, and reads no more than that of a longer one."""


class ChainOracle:
    """The `Oracle` behind an Exchange."""

    def __init__(self, chain: Chain, exchange: str) -> None:
        self.chain = chain
        self.exchange = exchange

    def prices(self, market_ids: Sequence[int], head: Head) -> dict[int, tuple[int, int]]:
        """No price where the oracle has none, reverts, or answers something that the Exchange takes for none."""
        [[address]] = ask(self.chain, [(self.exchange, ORACLE, ())], head)
        calls = [Call(str(address), PRICE.encode(market_id)) for market_id in market_ids]
        found: dict[int, tuple[int, int]] = {}
        for market_id, answer in zip(market_ids, self.chain.call_many(calls, head.hash), strict=True):
            found[market_id] = (0, 0) if isinstance(answer, RefusedError) else _price(answer, head.time_s)
        return found


def _price(answer: bytes, time_s: int) -> tuple[int, int]:
    if len(answer) < ANSWER_BYTES:
        return 0, 0
    price, published_at = PRICE.decode(answer[:ANSWER_BYTES])
    return readable_price(price, published_at, time_s)
