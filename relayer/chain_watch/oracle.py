# SPDX-License-Identifier: AGPL-3.0-only
"""Prices of an oracle that says them only when asked, as the router does: read at each block, by the block's hash.

A `PushedOracle` tells every price by an event, so that nothing is asked. What a node answers to a call no hash proves;
with several nodes most of them must answer alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from eth_utils.address import to_checksum_address

from ouro import node_answers
from ouro.eip712 import keccak
from ouro.markets import readable_price
from relayer.chain_watch.answers import Header
from relayer.chain_watch.rpc import Rpc, RpcError, RpcUnreachableError
from relayer.core.inputs import Log

Price = tuple[int, int, int]
"""Market, micro-USDC per lot (0: none), second of publication."""

_PRICE = keccak(b"price(uint256)")[:4]
_SIGNER = keccak(b"signer()")[:4]
_ORACLE_SET = keccak(b"OracleSet(address)")
_REVERTED = 3


def oracle_after(oracle: str, logs: Iterable[Log], exchange: str) -> str:
    """The exchange's oracle after a block with these logs, `oracle` before it."""
    for log in logs:
        if log.address == exchange and log.topics[:1] == (_ORACLE_SET,):
            oracle = to_checksum_address(log.topics[1][12:])
    return oracle


class PriceReader:
    """Asks the oracle for the prices of all markets."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._silent: dict[str, bool] = {}

    async def read(self, oracle: str, markets: Sequence[int], block: Header, *, is_newest: bool) -> tuple[Price, ...]:
        """The prices at a block; none when the oracle tells them by events, or the node has forgotten the state of a
        block that is not the newest. Raises `RpcError` and `RpcUnreachableError`.
        """
        if not oracle or not await self._is_silent(oracle):
            return ()
        try:
            return tuple([await self._price(oracle, market, block) for market in markets])
        except RpcError:
            if is_newest:
                raise
            return ()

    async def _is_silent(self, oracle: str) -> bool:
        """Whether it pushes no prices: a `PushedOracle` has a signer."""
        known = self._silent.get(oracle)
        if known is None:
            asked = ({"to": oracle, "data": "0x" + _SIGNER.hex()}, "latest")
            # Kept for good, so heard twice: a node that lags behind the oracle's deployment answers with nothing.
            known = not await self._agreed(*asked) and not await self._agreed(*asked)
            self._silent[oracle] = known
        return known

    async def _price(self, oracle: str, market: int, block: Header) -> Price:
        call = ({"to": oracle, "data": "0x" + (_PRICE + market.to_bytes(32)).hex()}, {"blockHash": block.hex_hash})
        raw = await self._agreed(*call)
        if len(raw) != 64:
            return market, 0, 0
        return market, *readable_price(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]), block.time_s)

    async def _agreed(self, *call: Any) -> bytes:
        """What one node answers, or most of several do; a call that reverts is an answer like others, without data."""
        if len(self._rpc) == 1:
            try:
                return await self._rpc.call("eth_call", *call, read=node_answers.hex_bytes)
            except RpcError as error:
                if not _reverted(error):
                    raise
                return b""
        said = await self._rpc.from_each("eth_call", *call, read=node_answers.hex_bytes)
        heard = (b"" if isinstance(each, RpcError) and _reverted(each) else each for each in said)
        found = Counter(each for each in heard if isinstance(each, bytes))
        if not found:
            fault = next((each for each in said if isinstance(each, RpcError)), None)
            raise fault or RpcUnreachableError("none of the nodes says what the oracle's price is")
        [(answer, count), *others] = found.most_common(2)
        if others and others[0][1] == count:
            raise RpcUnreachableError("the nodes contradict each other about the oracle's price")
        return answer


def _reverted(error: RpcError) -> bool:
    return error.code == _REVERTED or "revert" in error.message
