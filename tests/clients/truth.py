# SPDX-License-Identifier: AGPL-3.0-only
"""What the chain itself says, by web3 and the contract's ABI alone: neither the SDK nor the indexer is asked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from web3 import HTTPProvider, Web3

from ouro import abi
from ouro.codec import unpack_detail, unpack_position

USDC = Decimal(10) ** 6
SCALE = 2**32
PPM = 10**6


@dataclass(frozen=True)
class ChainFill:
    """One `Fill`, sizes in the base asset, price and fees in USDC."""

    block: int
    time_s: int
    taker: str
    maker: str
    taker_side: str
    size: Decimal
    price: Decimal
    taker_fee: Decimal
    taker_order: str
    maker_order: str


class Chain:
    """One market of one deployment, as its node tells it. `record` is the answer of `/v4/config`."""

    def __init__(self, record: dict[str, Any], ticker: str) -> None:
        self.provider = HTTPProvider(record["rpcUrl"])
        self.web3 = Web3(self.provider)
        self.exchange = self.web3.eth.contract(
            address=Web3.to_checksum_address(record["contracts"]["exchange"]), abi=abi.load("Exchange")
        )
        self.vault = self.web3.eth.contract(
            address=Web3.to_checksum_address(record["contracts"]["vault"]), abi=abi.load("Vault")
        )
        [market] = [each for each in record["markets"] if each["ticker"] == ticker]
        self.market = int(market["id"])
        self.lot = Decimal(10) ** -market["sizeDecimals"]
        self.price_unit = Decimal(10) ** -market["priceDecimals"]

    @property
    def height(self) -> int:
        return self.web3.eth.block_number

    def time_s(self, block: int) -> int:
        return int(self.web3.eth.get_block(block)["timestamp"])

    def size(self, owner: str, block: int) -> Decimal:
        """The signed position, in the base asset."""
        word = self.exchange.functions.position(owner, 0, self.market).call(block_identifier=block)
        return unpack_position(word).size * self.lot

    def cash(self, owner: str, block: int) -> Decimal:
        return self.exchange.functions.cash(owner, 0).call(block_identifier=block) / USDC

    def equity_and_free(self, owner: str, block: int) -> tuple[Decimal, Decimal]:
        """Equity, and what of it is beyond initial margin, in USDC, rounded down to a micro-USDC."""
        equity, initial, _, _ = self.exchange.functions.margin_of(owner, 0).call(block_identifier=block)
        return equity // SCALE / USDC, (equity - initial) // SCALE / USDC

    def fills(self, block: int) -> list[ChainFill]:
        """All of the market up to a block, oldest first."""
        found = []
        for log in self.exchange.events.Fill().get_logs(from_block=0, to_block=block):
            told, detail = log["args"], unpack_detail(log["args"]["detail"])
            if detail.market != self.market:
                continue
            # Fees are parts per million of the notional, rounded up to a micro-USDC.
            notional = detail.size * detail.price
            found.append(
                ChainFill(
                    block=log["blockNumber"],
                    time_s=self.time_s(log["blockNumber"]),
                    taker=told["taker"],
                    maker=told["maker"],
                    taker_side="SELL" if detail.taker_sold else "BUY",
                    size=detail.size * self.lot,
                    price=detail.price * self.price_unit,
                    taker_fee=-(-notional * detail.taker_fee_ppm // PPM) / USDC,
                    taker_order="0x" + told["taker_order"].hex(),
                    maker_order="0x" + told["maker_order"].hex(),
                )
            )
        return found

    def rates(self, block: int) -> list[tuple[int, Decimal]]:
        """When each hour was opened, and the hourly rate it was opened with, newest first."""
        logs = self.exchange.events.FundingAccrued().get_logs(
            from_block=0, to_block=block, argument_filters={"market": self.market}
        )
        told = [(log["args"]["at"], log["args"]["rate"]) for log in logs]
        return [(at, rate) for at, rate in reversed(told)]

    def deposits(self, owner: str, block: int) -> list[Decimal]:
        """What was paid in for an account, newest first."""
        logs = self.vault.events.Deposited().get_logs(from_block=0, to_block=block)
        return [log["args"]["amount"] / USDC for log in reversed(logs) if log["args"]["account"] == owner]

    def pass_time(self, seconds: int) -> None:
        """Let so much time pass on the (local) chain."""
        for method, arguments in (("evm_increaseTime", [seconds]), ("evm_mine", [])):
            answer = self.provider.make_request(method, arguments)  # type: ignore[arg-type]
            assert "error" not in answer, answer

    def poke(self) -> None:
        """Open the market's hour, which anybody may."""
        transaction = self.exchange.functions.poke(self.market).transact({"from": self.web3.eth.accounts[9]})
        receipt = self.web3.eth.wait_for_transaction_receipt(transaction, timeout=120)
        assert receipt["status"] == 1

    def close(self) -> None:
        self.provider._request_session_manager.session_cache.clear()


def candles(fills: list[ChainFill], resolution_s: int) -> dict[int, tuple[Decimal, ...]]:
    """Open, high, low, close, volume and notional of each interval that had a fill, by its start."""
    grouped: dict[int, list[ChainFill]] = {}
    for fill in fills:
        grouped.setdefault(fill.time_s // resolution_s * resolution_s, []).append(fill)
    return {
        start: (
            group[0].price,
            max(fill.price for fill in group),
            min(fill.price for fill in group),
            group[-1].price,
            sum((fill.size for fill in group), Decimal(0)),
            sum((fill.size * fill.price for fill in group), Decimal(0)),
        )
        for start, group in grouped.items()
    }
