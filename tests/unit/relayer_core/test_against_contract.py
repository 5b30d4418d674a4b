# SPDX-License-Identifier: AGPL-3.0-only
"""The core against the contracts themselves: every batch settles whole, and its accounts are the contract's."""

from random import Random

import pytest
from eth_utils.crypto import keccak

from ouro import codec
from relayer.core import Core, CoreConfig
from relayer.core.inputs import BatchBuilt, CancelAll, ChainBlock, Log, Place, Tick
from relayer.core.outputs import Ack, FillOutput, Output
from relayer.settlement.fees import gas_limit
from tests.support.chain import Receipt
from tests.support.evm import Evm
from tests.support.wire import Order, Signed, wallet
from tests.support.world import PRICE, USDC, World

ROLES = ("maker", "taker", "third")
TICKERS = {1: "BTC-USD", 2: "ETH-USD"}


class RecordingEvm(Evm):
    """Keeps the logs of every transaction."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: list[Log] = []

    def transact(self, sender: str, to: str, data: bytes, gas: int | None = None) -> Receipt:
        receipt = super().transact(sender, to, data, gas)
        for log in receipt.raw_logs:
            self.logs.append(Log(log.address, tuple(log.topics), log.data, keccak(data), len(self.logs)))
        return receipt


class Exchange:
    """The deployed contracts and a core that follows them from their first event."""

    def __init__(self) -> None:
        self.world = World(funds=5_000 * USDC)
        self.world.system.fund(wallet("third").address, 5_000 * USDC)
        system = self.world.system
        self.core = Core(
            CoreConfig(
                chain_id=31_337,
                exchange=system.exchange.address,
                vault=system.vault.address,
                oracle=system.oracle.address,
                operator=self.world.operator,
                markets=(),
            )
        )
        self.number = 0
        self.said: dict[int, FillOutput] = {}
        self.nonce = 0
        self.slots = dict.fromkeys(ROLES, 0)
        self.open: list[tuple[str, str, Order]] = []
        self.mine()

    def apply(self, item: object) -> list[Output]:
        outputs = self.core.apply(item)  # type: ignore[arg-type]
        self.said.update({output.fill_id: output for output in outputs if isinstance(output, FillOutput)})
        return outputs

    def mine(self) -> None:
        evm = self.world.evm
        assert isinstance(evm, RecordingEvm)
        self.number += 1
        parent = keccak(text=str(self.number - 1))
        logs, evm.logs = tuple(evm.logs), []
        self.apply(Tick(evm.now * 1_000))
        self.apply(ChainBlock(self.number, keccak(text=str(self.number)), parent, evm.now, logs))

    def place(
        self, role: str, side: str, market: int, price: int, size: int, kind: str, slot: int, **fields: object
    ) -> Ack:
        key = wallet(role)
        order = self.world.order(
            key,
            side,
            market=TICKERS[market],
            limit_price=price,
            size=size,
            time_in_force=kind,
            **({"slot": slot} if kind == "GTT" else {}),
            **fields,
        )
        ack = self.send(self.world.sign(key, order))
        if ack.order_status == "OPEN":
            self.open.append((role, ack.order_id, order))
        return ack

    def amend(self, role: str, order_id: str, order: Order, **changes: object) -> Ack:
        """Sends the next revision of an order."""
        newer = order.but(revision=order.revision + 1, **changes)
        ack = self.send(self.world.sign(wallet(role), newer), replaces=bytes.fromhex(order_id[2:]))
        if ack.order_status == "OPEN":
            self.open.append((role, ack.order_id, newer))
        return ack

    def send(self, signed: Signed, **asked: bytes) -> Ack:
        words = [word.to_bytes(32, "big") for word in signed.words]
        item = Place(words[0], words[1], words[2], words[3], signed.id, signed.signer, "", **asked)
        ack = self.apply(item)[-1]
        assert isinstance(ack, Ack)
        return ack

    def settle(self, gas: int | None = None) -> None:
        batch = self.core.next_batch()
        if batch is None:
            return
        prev, head = self.core.next_prev, keccak(text=f"head {self.number}")
        data = codec.encode_settle(prev, head, batch.orders, map(codec.pack_fill, batch.fills))
        number, nonce = self.core.last_batch
        self.apply(BatchBuilt(number + 1, nonce + 1, batch.fill_ids, prev, head, data))
        self.world.evm.transact(self.world.operator, self.world.exchange.address, data, gas)
        self.world.warp(1)
        self.mine()
        assert self.core.chain_head == head

    def warp(self, seconds: int) -> None:
        """Time goes on, then there are fresh prices."""
        self.world.warp(seconds)
        self.world.push(PRICE)
        self.mine()

    def assert_shadow_is_storage(self) -> None:
        """Positions and margin of every account, when nothing waits to settle."""
        assert self.core.next_batch() is None
        state = self.core._state
        for role in ROLES:
            owner = wallet(role).address
            shadow = state.shadow.of(state.account(owner, 0))
            for market in TICKERS:
                held = self.world.position(wallet(role), market)
                assert (held.size, held.q if held.size else 0) == shadow.positions.get(market, (0, 0))
                assert held.one_shot == shadow.one_shot_ms.get(market, 0)
            margin = shadow.margin(state.venues)
            figures = (margin.equity_scaled, margin.im_scaled, margin.mm_scaled)
            assert figures == tuple(self.world.exchange.call.margin_of(owner, 0))[:3]
            assert shadow.cash == self.world.cash(wallet(role))
        for market in TICKERS:
            figures = state.chain.head.ledger.markets_state[market]
            stored = self.world.exchange.call.market_indices(market)
            assert (figures.g_long, figures.g_short, figures.hour * 3_600, figures.rate) == tuple(stored)
            assert figures.open_interest == self.world.exchange.call.open_interest(market)

    def cancel_all(self) -> None:
        for role in ROLES:
            self.nonce += 1
            self.apply(CancelAll(wallet(role).address, 0, "", wallet(role).address, self.nonce))


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    monkeypatch.setattr("tests.support.world.Evm", RecordingEvm)
    return Exchange()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_the_core_matches_settles_and_accounts_agree(exchange: Exchange, seed: int) -> None:
    rng = Random(seed)
    play(exchange, rng, 250, warps=(1, 30))
    rejected = [fill for fill in exchange.said.values() if fill.status != "confirmed"]
    assert rejected == []
    exchange.cancel_all()
    for role in ROLES:
        key = wallet(role)
        assert exchange.core.withdrawable(key.address, 0) == exchange.world.withdrawable(key)


@pytest.mark.parametrize("seed", [4, 5, 7])
def test_funding_agrees_over_the_hours(exchange: Exchange, seed: int) -> None:
    rng = Random(seed)
    rates = set()
    for _ in range(12):
        play(exchange, rng, 20, warps=(1, 30, 600))
        rates.add(exchange.world.exchange.call.market_indices(1)[3])
        exchange.warp(rng.choice([900, 3_600, 3_700, 9_000]))
        exchange.assert_shadow_is_storage()
    assert len(rates) > 2


def test_margin_agrees_while_open_interest_scales_it(exchange: Exchange) -> None:
    governance = exchange.world.exchange.send(exchange.world.governance)
    governance.set_margin_scale(1, 1, 100)
    exchange.mine()
    play(exchange, Random(6), 120, warps=(1, 30))
    state = exchange.core._state
    assert state.venues[1].imf_ppm > state.venues[1].market.imf_ppm
    assert [fill for fill in exchange.said.values() if fill.status != "confirmed"] == []


@pytest.mark.parametrize("seed", [8, 9, 10])
def test_revisions_modes_tiers_and_referrers_agree(exchange: Exchange, seed: int) -> None:
    """Every revision that the core matches settles, whatever was amended before; fees are those of each one's tier."""
    governance = exchange.world.exchange.send(exchange.world.governance)
    governance.set_fee_tiers([500 << 16 | 40, 5_000 << 32 | 300 << 16, 20_000 << 32 | 200 << 16 | 0xFFFF & -60])
    governance.set_referrer_share(200_000)
    exchange.world.exchange.send(wallet("third").address).register_referrer(0)
    exchange.mine()
    rng = Random(seed)
    play(exchange, rng, 250, warps=(1, 30), with_amends=True)
    fills = exchange.said.values()
    assert {fill.status for fill in fills} == {"confirmed"}
    assert len({(fill.taker_fee_ppm, fill.maker_fee_ppm) for fill in fills}) > 3
    revisions = {order.revision for _, _, order in exchange.open}
    assert max(revisions) >= 2
    assert exchange.world.exchange.call.referrer(1)[2] > 0


def test_a_fill_or_kill_order_of_sixteen_makers_settles_in_one_transaction(exchange: Exchange) -> None:
    for slot in range(1, 17):
        assert exchange.place("maker", "SELL", 1, PRICE[1], 10, "GTT", slot).ok
    ack = exchange.place("taker", "BUY", 1, PRICE[1], 160, "FOK", 0)
    assert ack.order_status == "FILLED"
    batch = exchange.core.next_batch()
    assert batch is not None
    assert batch.largest_group == 16
    gas = gas_limit(len(batch.orders), len(batch.fills), batch.largest_group)
    exchange.settle(gas)
    assert {fill.status for fill in exchange.said.values()} == {"confirmed"}
    exchange.assert_shadow_is_storage()


MODES = ("CANCEL_TAKER", "CANCEL_MAKER", "CANCEL_BOTH", "DECREMENT")


def amend_one(exchange: Exchange, rng: Random) -> None:
    """Changes an order that rests, now and then in price, now and then in size."""
    core = exchange.core
    known = [(each, core.order(bytes.fromhex(each[1][2:]))) for each in exchange.open[-20:]]
    resting = [each for each, state in known if state is not None and state.status == "OPEN"]
    if resting:
        role, order_id, order = rng.choice(resting)
        price = order.limit_price + 100 * rng.choice([0, 0, -4, 4])
        size = rng.choice([order.size, order.size // 2 + 1, order.size + 100])
        exchange.amend(role, order_id, order, limit_price=price, size=size)


def play(exchange: Exchange, rng: Random, orders: int, warps: tuple[int, ...], *, with_amends: bool = False) -> None:
    """Traders place orders at random; at times a batch is settled, at times the clock goes on. In the end all is
    settled, and what the core holds is what the contract holds.
    """
    accepted = 0
    for _ in range(orders):
        role, market = rng.choice(ROLES), rng.choice([1, 2])
        exchange.slots[role] += 1
        price = PRICE[market] + 100 * rng.randrange(-15, 16)
        kind = rng.choice(["GTT", "GTT", "IOC", "FOK"])
        size = rng.choice([1, 50, 3_000, 20_000])
        fields: dict[str, object] = {}
        if with_amends:
            fields = {"self_trade": rng.choice(MODES), "referrer": rng.choice([0, 1])}
            for _ in range(2):
                amend_one(exchange, rng)
        side = rng.choice(["BUY", "SELL"])
        ack = exchange.place(role, side, market, price, size, kind, exchange.slots[role], **fields)
        accepted += ack.ok
        if rng.random() < 0.25:
            exchange.settle()
        if rng.random() < 0.05:
            while exchange.core.next_batch() is not None:
                exchange.settle()
            exchange.warp(rng.choice(warps))
    while exchange.core.next_batch() is not None:
        exchange.settle()
    assert accepted > orders // 5
    assert exchange.said
    exchange.assert_shadow_is_storage()
