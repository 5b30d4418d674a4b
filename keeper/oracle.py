# SPDX-License-Identifier: AGPL-3.0-only
"""Index prices as the exchange sees them: of the oracle that it names at the block that is asked about."""

from collections.abc import Sequence

from keeper.functions import ORACLE, PRICE
from keeper.ports import Call, Chain, Head, RefusedError
from keeper.reading import ask


class ChainOracle:
    """The `Oracle` behind an Exchange."""

    def __init__(self, chain: Chain, exchange: str) -> None:
        self.chain = chain
        self.exchange = exchange

    def prices(self, market_ids: Sequence[int], head: Head) -> dict[int, tuple[int, int]]:
        """No price where the oracle has none or reverts."""
        [[address]] = ask(self.chain, [(self.exchange, ORACLE, ())], head)
        calls = [Call(str(address), PRICE.encode(market_id)) for market_id in market_ids]
        found = {}
        for market_id, answer in zip(market_ids, self.chain.call_many(calls, head.hash), strict=True):
            found[market_id] = (0, 0) if isinstance(answer, RefusedError) else PRICE.decode(answer)
        return {market_id: (int(price), int(at)) for market_id, (price, at) in found.items()}
