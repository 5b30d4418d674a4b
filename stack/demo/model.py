# SPDX-License-Identifier: AGPL-3.0-only
"""A small model of the exchange's money, written from docs/protocol.md: replays events, keeps every account's figures.

It imports none of the project's own maths, so that what it says about the contracts, the relayer and the indexer is a
second opinion. Whatever the events do not add up to is noted in `complaints`.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from stack.demo.raw import Event, unpack_detail, unpack_position

SCALE = 2**32
PPM = 10**6
HOUR = 3_600
RATE_UNIT = 10**8

Account = tuple[str, int]
"""Owner (lower-case hex) and subaccount number."""


@dataclass
class Position:
    """Signed lots and normalised quote."""

    size: int = 0
    quote: int = 0


@dataclass
class Index:
    """Cumulative indices of one market at the start of its hour (`at`, 0: none yet), and their growth in a second."""

    g_long: int = 0
    g_short: int = 0
    slope: int = 0
    at: int = 0

    def of(self, size: int, time: int) -> int:
        """The index that a position of that size runs on at a time."""
        if size == 0:
            return 0
        return (self.g_long if size > 0 else self.g_short) + self.slope * (min(time, self.at + HOUR) - self.at)


@dataclass
class Model:
    """Everything that holds or owes money. Money in micro-USDC, `dust` in 1 / `SCALE` of it."""

    cash: dict[Account, int] = field(default_factory=lambda: defaultdict(int))
    positions: dict[tuple[Account, int], Position] = field(default_factory=lambda: defaultdict(Position))
    indices: dict[int, Index] = field(default_factory=lambda: defaultdict(Index))
    backstop: Account = ("", 0)
    insurance: int = 0
    fees: int = 0
    deposited: int = 0
    withdrawn: int = 0
    closings: int = 0
    dust: int = 0
    dust_bound: int = 0
    complaints: list[str] = field(default_factory=list)

    def replay(self, events: Iterable[Event]) -> "Model":
        """Apply events, which must be in order from the beginning."""
        for _, group in groupby(events, key=lambda event: event.transaction):
            self._transaction(list(group))
        return self

    def _transaction(self, events: list[Event]) -> None:
        """A market's hour is opened before anything trades, but its event comes last."""
        spread = [event for event in events if event.name == "LossSpread"]
        opened = [event for event in events if event.name == "FundingAccrued"]
        for loss in spread:
            self._spread(loss, events)
        for event in opened:
            self._open_hour(event, spread)
        for loss in spread:
            if all(event.args["market"] != loss.args["market"] for event in opened):
                self._lose(loss)
        collected = 0
        for event in events:
            args = event.args
            if event.name == "Fill":
                collected += self._fill(event)
            elif event.name == "Liquidated":
                self._liquidate(event)
            elif event.name == "BatchSettled":
                self._expect(event, "fees of the batch", args["fees"], collected)
                self.fees += args["fees"]
                collected = 0
            elif event.name == "InsuranceChanged":
                self.insurance += args["delta"]
                self._expect(event, "insurance", args["balance"], self.insurance)
            elif event.name == "BackstopSet":
                self.backstop = (args["backstop"], 0)
            elif event.name == "BackstopChanged":
                self.cash[self.backstop] += args["delta"]
                self._expect(event, "cash of the backstop", args["cash"], self.cash[self.backstop])
            elif event.name == "FeesWithdrawn":
                self.fees -= args["amount"]
            elif event.name in ("Credited", "Debited"):
                account = (args["account"], args["subaccount"])
                self.cash[account] += args["amount"] if event.name == "Credited" else -args["amount"]
                self._expect(event, "cash", args["cash"], self.cash[account])
            elif event.name in ("Deposited", "Donated"):
                self.deposited += args["amount"]
            elif event.name == "Withdrawn":
                self.withdrawn += args["amount"]

    def _open_hour(self, event: Event, spread: list[Event]) -> None:
        """Funding moves both indices alike, a spread loss one of them; an hour moves them by what its slope says."""
        args = event.args
        index = self.indices[args["market"]]
        long_step, short_step = args["g_long"] - index.g_long, args["g_short"] - index.g_short
        for loss in spread:
            if loss.args["market"] == args["market"]:
                if loss.args["longs"]:
                    long_step -= loss.args["per_lot_scaled"]
                else:
                    short_step += loss.args["per_lot_scaled"]
        self._expect(event, "funding that shorts receive", short_step, long_step)
        if index.at and args["at"] == index.at + HOUR:
            self._expect(event, "funding of the hour", long_step, index.slope * HOUR)
        index.g_long, index.g_short, index.at = args["g_long"], args["g_short"], args["at"]
        growth = abs(args["rate"]) * args["index_price"] * SCALE // (RATE_UNIT * HOUR)
        index.slope = growth if args["rate"] > 0 else -growth

    def _lose(self, loss: Event) -> None:
        """A loss that is spread in an hour which was open already."""
        args = loss.args
        index = self.indices[args["market"]]
        if args["longs"]:
            index.g_long += args["per_lot_scaled"]
        else:
            index.g_short -= args["per_lot_scaled"]
        self._expect(loss, "index of the side", args["g"], index.g_long if args["longs"] else index.g_short)

    def _spread(self, loss: Event, events: list[Event]) -> None:
        """A loss is spread per lot, rounded up; what that takes beyond the loss stays with the exchange."""
        market = loss.args["market"]
        lots = sum(max(0, position.size) for (_, id_), position in self.positions.items() if id_ == market)
        covered = sum(event.args["covered"] for event in events if event.name == "Liquidated")
        by_fund = -sum(min(0, event.args["delta"]) for event in events if event.name == "InsuranceChanged")
        self.dust += loss.args["per_lot_scaled"] * lots - (covered - by_fund) * SCALE
        self.dust_bound += lots

    def _fill(self, event: Event) -> int:
        """Both sides of a fill; the fees."""
        args, detail = event.args, unpack_detail(event.args["detail"])
        notional = detail.price * detail.size
        taker_fee, maker_fee = fee(notional, detail.taker_fee_ppm), fee(notional, detail.maker_fee_ppm)
        bought = -detail.size if detail.taker_sold else detail.size
        taker = (args["taker"], detail.taker_subaccount)
        maker = (args["maker"], detail.maker_subaccount)
        self._trade(event, taker, detail.market, bought, detail.price, taker_fee, args["taker_position"])
        self._trade(event, maker, detail.market, -bought, detail.price, maker_fee, args["maker_position"])
        return taker_fee + maker_fee

    def _liquidate(self, event: Event) -> None:
        args = event.args
        lots, given = abs(args["size"]), args["size"]
        fund_share = args["insurance_fee"] // lots
        # The fund takes its share between the price that one side gets and the one that the other pays.
        price = args["price"] - fund_share if given > 0 else args["price"] + fund_share
        account = (args["account"], args["subaccount"])
        liquidator = (args["liquidator"], args["liquidator_subaccount"])
        self._trade(event, account, args["market"], -given, price, -args["covered"], args["position"])
        self._trade(event, liquidator, args["market"], given, args["price"], 0, args["liquidator_position"])

    def _trade(
        self, event: Event, account: Account, market: int, lots: int, price: int, charge: int, word: int
    ) -> None:
        """`Q' = Q - s0 G(s0) - (d p + f) SCALE + s1 G(s1)`, and cash when nothing is left."""
        position, index = self.positions[account, market], self.indices[market]
        before, after = position.size, position.size + lots
        g_before, g_after = index.of(before, event.time), index.of(after, event.time)
        quote = position.quote - before * g_before - (lots * price + charge) * SCALE + after * g_after
        self._expect(event, f"position of {account}", unpack_position(word), (after, quote))
        position.size, position.quote = after, quote
        if after == 0 and before != 0:
            self.cash[account] += quote // SCALE
            self.dust += quote % SCALE
            self.dust_bound += SCALE - 1
            self.closings += 1
            position.quote = 0

    def _expect(self, event: Event, what: str, said: object, computed: object) -> None:
        if said != computed:
            self.complaints.append(f"{event.name} at {event.at}: {what} is {said}, computed {computed}")


def fee(notional: int, rate_ppm: int) -> int:
    """Rounded up, so a rebate (negative) towards zero."""
    return -(-notional * rate_ppm // PPM)
