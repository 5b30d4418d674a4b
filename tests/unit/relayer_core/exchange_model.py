# SPDX-License-Identifier: AGPL-3.0-only
"""A core on a chain: blocks of raw logs come from the reference model of the contracts, batches go into it."""

import copy
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from ouro.markets import Market as MarketTerms
from relayer.core import Core, CoreConfig
from relayer.core.inputs import (
    AnyCancel,
    BatchBuilt,
    BatchFate,
    Cancel,
    CancelAll,
    CancelAllAfter,
    CancelByClientId,
    ChainBlock,
    ChainRevert,
    Input,
    Log,
    Place,
    ReserveWithdrawal,
    Tick,
    UndoFills,
)
from relayer.core.outputs import Ack, BookOutput, FillOutput, OrderOutput, Output
from tests.reference.exchange import Exchange, Executed, Fault, RefusedError
from tests.reference.market import Terms
from tests.reference.settlement import GROUP_FAILED, GROUPED
from tests.support.wire import Domain, Fill, Order, PositionWord, Signed

START_MS = 1_700_000_000_000
USDC = 10**6
BTC_PRICE, ETH_PRICE = 2_300_000, 1_600_000
ASKED = ("replaces", "expected_filled", "immediate", "not_before_ms", "parent", "oco", "arm_price")
"""What is asked beside the signed order."""
ABI_FOLDER = Path(__file__).parents[3] / "ouro" / "abi"


def address(role: str) -> str:
    """The same address for a role in every run."""
    return to_checksum_address(keccak(text=role)[12:])


EXCHANGE, VAULT, ORACLE, OPERATOR = (address(name) for name in ("exchange", "vault", "oracle", "operator"))
BTC = Terms(1, "BTC-USD", 4, 2, 100, 50_000, 30_000, 100_000, 10**8, 120, 5_000)
ETH = Terms(2, "ETH-USD", 3, 3, 100, 50_000, 30_000, 100_000, 10**8, 120, 5_000)
DOMAIN = Domain(31337, EXCHANGE)


def market_of(terms: Terms) -> MarketTerms:
    """The same market for the core."""
    return MarketTerms(
        id=terms.id,
        ticker=terms.ticker,
        size_decimals=terms.size_decimals,
        price_decimals=terms.price_decimals,
        tick=terms.tick,
        imf_ppm=terms.imf,
        mmf_ppm=terms.mmf,
        band_ppm=terms.band,
        max_open_interest=terms.max_open_interest,
        max_price_age_s=terms.max_price_age,
        liquidation_floor_ppm=terms.liquidation_floor,
        state=terms.state,
    )


def config(**changes: Any) -> CoreConfig:
    """The usual venue."""
    fields: dict[str, Any] = {
        "chain_id": 31337,
        "exchange": EXCHANGE,
        "vault": VAULT,
        "oracle": ORACLE,
        "operator": OPERATOR,
        "markets": (market_of(BTC), market_of(ETH)),
    }
    return CoreConfig(**(fields | changes))


def _events() -> dict[str, tuple[bytes, list[tuple[str, str, bool]]]]:
    found = {}
    for name in ("Exchange", "Vault", "PushedOracle"):
        for entry in json.loads((ABI_FOLDER / f"{name}.json").read_text()):
            if entry["type"] == "event":
                fields = [(part["name"], part["type"], part["indexed"]) for part in entry["inputs"]]
                signature = f"{entry['name']}({','.join(kind for _, kind, _ in fields)})"
                found[entry["name"]] = (keccak(text=signature), fields)
    return found


EVENTS = _events()


def encode_log(contract: str, name: str, index: int, transaction: bytes, **args: Any) -> Log:
    """An event as the chain would log it."""
    topic, fields = EVENTS[name]
    topics = [topic, *(encode([kind], [args[field]]) for field, kind, indexed in fields if indexed)]
    plain = [(kind, args[field]) for field, kind, indexed in fields if not indexed]
    data = encode([kind for kind, _ in plain], [value for _, value in plain])
    return Log(contract, tuple(topics), data, transaction, index)


class Venue:
    """A core fed with everything in order. `inputs` is what a journal would hold, `outputs` what a log would."""

    def __init__(self, **changes: Any) -> None:
        self.config = config(**changes)
        self.core = Core(self.config)
        self.now_ms = START_MS
        self.model = Exchange(START_MS // 1000)
        self.inputs: list[Input] = []
        self.outputs: list[Output] = []
        self.logs: list[Log] = []
        self.blocks: list[ChainBlock] = []
        self.states: list[Exchange] = []
        self.head = bytes(32)
        self.fork = 0
        self._nonce = 0
        self._slots: dict[str, int] = {}
        self._refused: dict[tuple[str, int, int], int] = {}
        self.signed: dict[bytes, Signed] = {}
        self.tick(0)
        for terms in (BTC, ETH):
            self.model.list_market(terms)
            decimals = {"size_decimals": terms.size_decimals, "price_decimals": terms.price_decimals}
            self.log(EXCHANGE, "MarketListed", market=terms.id, ticker=terms.ticker, tick=terms.tick, **decimals)
        self.push(1, BTC_PRICE)
        self.push(2, ETH_PRICE)
        self.mine()

    # Driving

    def apply(self, item: Input) -> list[Output]:
        """Feeds one input and remembers everything."""
        outputs = self.core.apply(item)
        self.inputs.append(item)
        self.outputs.extend(outputs)
        return outputs

    def command(self, item: Input) -> Ack:
        """Feeds a command and answers its acknowledgement. Of a cancel the core could say before what it takes away."""
        cancels = isinstance(item, AnyCancel)
        foretold = cancels and self.core.takes_away(item)
        ack = self.apply(item)[-1]
        assert isinstance(ack, Ack)
        assert not cancels or foretold == bool(ack.cancelled)
        return ack

    def tick(self, ms: int = 1) -> list[Output]:
        """Time goes on for the core and the chain alike."""
        self.now_ms += ms
        self.model.now = self.now_ms // 1000
        return self.apply(Tick(self.now_ms))

    def log(self, contract: str, name: str, **args: Any) -> None:
        """Adds an event to the block being made, all of which is one transaction."""
        transaction = keccak(text=f"tx in block {len(self.blocks) + 1} of fork {self.fork}")
        self.logs.append(encode_log(contract, name, len(self.logs), transaction, **args))

    def mine(self, final: int = 0) -> list[Output]:
        """Ends the block; `final` is how far finality has come."""
        number = len(self.blocks) + 1
        block_hash = keccak(text=f"block {number} of fork {self.fork}")
        parent = self.blocks[-1].hash if self.blocks else bytes(32)
        block = ChainBlock(number, block_hash, parent, self.now_ms // 1000, tuple(self.logs), final)
        self.logs = []
        self.blocks.append(block)
        self.states.append(copy.deepcopy(self.model))
        return self.apply(block)

    def revert(self, to_number: int) -> list[Output]:
        """A reorg: the chain's state is that of an earlier block again."""
        self.fork += 1
        self._lost_state = self.states[-1]
        del self.blocks[to_number:]
        del self.states[to_number:]
        self.model = copy.deepcopy(self.states[-1])
        self.model.now = self.now_ms // 1000
        return self.apply(ChainRevert(to_number, self.blocks[-1].hash))

    def lost_state(self) -> Exchange:
        """What the chain was before the last reorg: for landing the very same again."""
        state = copy.deepcopy(self._lost_state)
        state.now = self.now_ms // 1000
        return state

    # The chain

    def withdraw_on_chain(self, role: str, usdc: int) -> None:
        """A delayed withdrawal that is paid in this block."""
        who = address(role)
        self.model.withdraw((who, 0), usdc * USDC)
        cash = self.model.accounts[who, 0].cash
        self.log(EXCHANGE, "Debited", account=who, subaccount=0, amount=usdc * USDC, cash=cash)
        self.mine()

    def push(self, market: int, price: int) -> None:
        """A price of this second."""
        self.model.push(market, price, self.now_ms // 1000)
        self.log(ORACLE, "PricePushed", market=market, price=price, published_at=self.now_ms // 1000)

    def deposit(self, role: str, usdc: int = 10_000, subaccount: int = 0) -> None:
        """Credits an account, in a block of its own."""
        key = (address(role), subaccount)
        self.model.deposit(key, usdc * USDC)
        cash = self.model.accounts[key].cash
        self.log(EXCHANGE, "Credited", account=key[0], subaccount=subaccount, amount=usdc * USDC, cash=cash)
        self.mine()

    def settle(self, *, mine: bool = True, built: bool = True) -> list[Executed | set[Fault]]:
        """Builds the next batch, lands it, and ends the block."""
        batch = self.build() if built else None
        outcomes = self.land(batch) if batch is not None else []
        if mine:
            self.mine()
        return outcomes

    def build(self) -> BatchBuilt:
        """Makes the next batch known to the core."""
        batch = self.core.next_batch()
        assert batch is not None
        number, nonce = self.core.last_batch
        built = BatchBuilt(
            number + 1, nonce + 1, batch.fill_ids, self.core.next_prev, keccak(text=f"head {number + 1}"), b"raw"
        )
        self.orders = [self.signed[_id_of(self.signed, terms, amounts)] for terms, amounts, _, _ in batch.orders]
        self.fills = [
            Fill(f.fill_id, f.price, f.size, f.taker, f.maker, f.taker_fee_ppm, f.maker_fee_ppm, f.flags)
            for f in batch.fills
        ]
        self.apply(built)
        return built

    def land(
        self, built: BatchBuilt, orders: list[Signed] | None = None, fills: list[Fill] | None = None
    ) -> list[Executed | set[Fault]]:
        """Executes a batch in the model and logs what the contract would."""
        orders, fills = orders or self.orders, fills or self.fills
        fees, hours = self.model.fees, {id_: market.funding.hour for id_, market in self.model.markets.items()}
        outcomes = self.model.settle(orders, fills)
        named_in_group = False
        for fill, outcome in zip(fills, outcomes, strict=True):
            if isinstance(outcome, Executed):
                self._log_fill(outcome, orders[fill.taker], orders[fill.maker])
                continue
            own = outcome - {GROUP_FAILED}
            # Of a group that fails one fill names its own fault.
            is_guilty = bool(own) and not named_in_group
            found = own if is_guilty else {GROUP_FAILED}
            named_in_group = (named_in_group or is_guilty) and bool(fill.flags & GROUPED)
            fault = min(found, key=lambda each: (each.fault_class, each.reason))
            self.reject(fill.fill_id, fault.fault_class, fault.reason, fault.order)
        self._log_funding(hours)
        settled = sum(isinstance(outcome, Executed) for outcome in outcomes)
        self.batch_settled(built, settled, len(outcomes) - settled, self.model.fees - fees)
        return outcomes

    def reject(self, fill_id: int, fault_class: int, reason: str, order_id: bytes = bytes(32)) -> None:
        """A FillRejected."""
        self.log(EXCHANGE, "FillRejected", fill_id=fill_id, order_id=order_id, fault_class=fault_class, reason=reason)

    def batch_settled(self, built: BatchBuilt, settled: int, rejected: int, fees: int = 0) -> None:
        """A BatchSettled."""
        self.head = built.next
        self.log(
            EXCHANGE,
            "BatchSettled",
            operator=OPERATOR,
            prev=built.prev,
            next=built.next,
            settled=settled,
            rejected=rejected,
            fees=fees,
        )

    def _log_funding(self, hours: dict[int, int]) -> None:
        for id_, market in self.model.markets.items():
            if market.funding.hour != hours[id_]:
                self.log(
                    EXCHANGE,
                    "FundingAccrued",
                    market=id_,
                    g_long=market.funding.g_long,
                    g_short=market.funding.g_short,
                    rate=market.funding.rate,
                    index_price=market.price,
                    at=market.funding.hour * 3_600,
                )

    def _log_fill(self, done: Executed, taker: Signed, maker: Signed) -> None:
        fill, market = done.fill, taker.words[0] >> 64 & 0xFFFF
        detail = (
            fill.fill_id << 192
            | fill.price << 144
            | fill.size << 96
            | market << 80
            | taker.order.subaccount << 64
            | maker.order.subaccount << 48
            | (fill.taker_fee & 0xFFFF) << 32
            | (fill.maker_fee & 0xFFFF) << 16
            | taker.order.is_sell
        )
        self.log(
            EXCHANGE,
            "Fill",
            taker=taker.order.account,
            maker=maker.order.account,
            detail=detail,
            taker_order=taker.id,
            maker_order=maker.id,
            taker_position=PositionWord(done.taker.size, done.taker.q, done.taker.one_shot).pack(),
            maker_position=PositionWord(done.maker.size, done.maker.q, done.maker.one_shot).pack(),
        )
        for signed, position in ((taker, done.taker), (maker, done.maker)):
            if position.size == 0:
                key = (signed.order.account, signed.order.subaccount)
                self.log(
                    EXCHANGE,
                    "PositionClosed",
                    account=key[0],
                    subaccount=key[1],
                    market=market,
                    realised=position.q // 2**32,
                    cash=self.model.accounts[key].cash,
                )

    # Traders

    def order(self, role: str, side: str, size: int, price: int, **fields: Any) -> Order:
        """A good order signed now, each newer than the last, GTT in a slot of its own."""
        market = fields.pop("market", 1)
        self.now_ms += 1
        self.apply(Tick(self.now_ms))
        one_shot = fields.get("time_in_force", "GTT") != "GTT"
        slot = 0 if one_shot else self._slots.get(role, 0) + 1
        if not one_shot:
            self._slots[role] = slot
        values: dict[str, Any] = {
            "generation": self.now_ms,
            "expiry": self.now_ms // 1000 + 3_600,
            "slot": slot,
        }
        ticker = {1: BTC.ticker, 2: ETH.ticker}[market]
        return Order(ticker, side, size, price, address(role), **(values | fields))

    def place(self, role: str, side: str, size: int, price: int, **fields: Any) -> Ack:
        """Signs and places an order."""
        client_id = fields.pop("client_id", "")
        asked = {name: fields.pop(name) for name in ASKED if name in fields}
        item = self.place_input(self.order(role, side, size, price, **fields), client_id)
        return self.command(msgspec.structs.replace(item, **asked))

    def place_order(self, order: Order, client_id: str = "", signer: str = "") -> Ack:
        """Places an order as it is."""
        return self.command(self.place_input(order, client_id, signer))

    def amend(
        self, order_id: str, *, client_id: str = "", expected_filled: int = -1, replaces: str = "", **changes: Any
    ) -> Ack:
        """Signs the next revision of an order with what changes and sends it as its amend. Refused ones are used up."""
        signed = self.signed[bytes.fromhex(order_id[2:])]
        asked = {name: changes.pop(name) for name in ASKED if name in changes}
        name = (signed.signer, signed.order.slot, signed.order.generation)
        newest = max(signed.order.revision, self._refused.get(name, 0))
        order = signed.order.but(**({"revision": newest + 1} | changes))
        ack = self.command(
            self.place_input(
                order,
                client_id,
                signed.signer,
                replaces=bytes.fromhex((replaces or order_id)[2:]),
                expected_filled=expected_filled,
                **asked,
            )
        )
        if not ack.ok:
            self._refused[name] = max(self._refused.get(name, 0), order.revision)
        return ack

    def place_input(self, order: Order, client_id: str = "", signer: str = "", **asked: Any) -> Place:
        """The input for an order; its signature words are never looked at by a core."""
        market = {"BTC-USD": 1, "ETH-USD": 2}.get(order.market, 3)
        signed = Signed(order, order.hash(DOMAIN), (*order.words(market), 1, 2), signer or order.account)
        self.signed[signed.id] = signed
        words = [word.to_bytes(32, "big") for word in signed.words]
        return Place(words[0], words[1], words[2], words[3], signed.id, signed.signer, client_id, **asked)

    def nonce(self) -> int:
        """A fresh one."""
        self._nonce += 1
        return self._nonce

    def cancel(self, role: str, order_id: str, **fields: Any) -> Ack:
        """Cancels by id."""
        signer, nonce = fields.pop("signer", address(role)), fields.pop("nonce", None) or self.nonce()
        return self.command(Cancel(address(role), 0, bytes.fromhex(order_id[2:]), signer, nonce))

    def cancel_by_client_id(self, role: str, client_id: str, signer: str = "") -> Ack:
        """Cancels by client id."""
        return self.command(CancelByClientId(address(role), 0, client_id, signer or address(role), self.nonce()))

    def cancel_all(self, role: str, market: str = "", signer: str = "") -> Ack:
        """Cancels everything of subaccount 0 that the signer may cancel."""
        return self.command(CancelAll(address(role), 0, market, signer or address(role), self.nonce()))

    def cancel_all_after(self, role: str, timeout_s: int, signer: str = "") -> Ack:
        """Arms the signer's switch."""
        return self.command(CancelAllAfter(address(role), 0, timeout_s, signer or address(role), self.nonce()))

    def reserve(self, role: str, usdc: int, nonce: int = 1, seconds: int = 60) -> Ack:
        """Asks for an instant withdrawal."""
        who = address(role)
        deadline = self.now_ms // 1000 + seconds
        return self.command(ReserveWithdrawal(who, 0, usdc * USDC, who, nonce, deadline, who))

    def drop_batch(self, number: int) -> None:
        """The batch can no longer land."""
        self.apply(BatchFate(number, "dropped"))

    def undo(self, *fill_ids: int, reason: str = "settlement reverts") -> None:
        """No batch can carry these."""
        self.apply(UndoFills(fill_ids, reason))

    # Looking

    def status(self, ack: Ack) -> tuple[str, int, str]:
        """status, filled and reason of an order now."""
        state = self.core.order(bytes.fromhex(ack.order_id[2:]))
        assert state is not None
        return state.status, state.filled, state.reason

    def levels(self, ticker: str = "BTC-USD") -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Bids and asks."""
        bids, asks, _ = self.core.book(ticker)
        return bids, asks

    def fills_said(self) -> dict[int, list[str]]:
        """Every status said of each fill, in order."""
        said: dict[int, list[str]] = {}
        for output in self.outputs:
            if isinstance(output, FillOutput):
                said.setdefault(output.fill_id, []).append(output.status)
        return said

    def log_book(self, ticker: str = "BTC-USD") -> tuple[dict[int, int], dict[int, int]]:
        """The book that somebody has who only follows the public records."""
        bids: dict[int, int] = {}
        asks: dict[int, int] = {}
        for output in self.outputs:
            if isinstance(output, BookOutput) and output.market == ticker:
                for side, changes in ((bids, output.bids), (asks, output.asks)):
                    for price, lots in changes:
                        if lots:
                            side[price] = lots
                        else:
                            side.pop(price, None)
        return bids, asks


def public(outputs: Iterable[Output]) -> list[Output]:
    """Orders, books and fills."""
    return [output for output in outputs if isinstance(output, OrderOutput | BookOutput | FillOutput)]


def _id_of(signed: dict[bytes, Signed], terms: int, amounts: int) -> bytes:
    return next(order_id for order_id, each in signed.items() if each.words[:2] == (terms, amounts))


__all__ = ["RefusedError"]
