# SPDX-License-Identifier: AGPL-3.0-only
"""A chain that was played by others, transaction by transaction through the reference model.

Batches go to the model as they were sent: orders and fills from the calldata, signers recovered by eth_account. Which
fills settle, what a batch brings in, every account's cash and every opened hour must be what the contracts logged.
Other transactions are told to the model by their events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from eth_account import Account
from eth_utils.address import to_checksum_address

from tests.reference.exact import HOUR
from tests.reference.exchange import AccountKey, Exchange, Executed
from tests.reference.market import Terms
from tests.reference.settlement import account_of, market_of
from tests.support.abi import Log, RawLog, abi_of
from tests.support.anvil import Rpc
from tests.support.history import Held, History, is_end
from tests.support.system import EXCHANGE
from tests.support.wire import (
    SELF_TRADES,
    SIDES,
    TIMES_IN_FORCE,
    TRIGGERS,
    Domain,
    Fill,
    Order,
    PositionWord,
    Signature,
    Signed,
    signed_field,
)

_ABI = abi_of(*EXCHANGE, "Vault", "PushedOracle")
_SETTLE = _ABI.functions["settle"]
_SILENT = frozenset(
    {
        # What the model computes itself, and is held to where it carries an amount.
        *("BatchSettled", "Fill", "FillRejected", "PositionClosed", "Credited", "Debited", "InsuranceChanged"),
        *("FundingAccrued", "BackstopChanged"),
        # Roles, rules and what waits: no money moves.
        *("OwnershipTransferStarted", "OwnershipTransferred", "OperatorSet", "GuardianSet", "OracleSet", "SignerSet"),
        *("CosignerSet", "RulesSet", "QueueStretched", "OutflowLimitsSet", "FeeTiersSet", "ReferrerShareSet"),
        *("WithdrawalRequested", "WithdrawalCancelled", "WithdrawalApproved", "Announced", "NoticeWithdrawn"),
    }
)


class Sent(NamedTuple):
    """A transaction that left logs of ours, and its block's time."""

    time_s: int
    input: bytes
    logs: tuple[Log, ...]


class Replay:
    """The model after all of a chain's transactions, and its history."""

    def __init__(self, rpc: Rpc, record: Mapping[str, Any]) -> None:
        contracts = record["contracts"]
        self._rpc = rpc
        self._emitters = [contracts[name] for name in ("exchange", "vault", "oracle")]
        self._domain = Domain(record["chainId"], to_checksum_address(contracts["exchange"]))
        self.model = Exchange(0)
        self.model.window = record["settleWindow"]
        self.history = History(self.model)
        self.batches = self.rejected = self.takeovers = 0
        self.paid: dict[tuple[Held, int], int] = {}
        """Funding that each position, by its number, had got when its market opened an hour last, micro-USDC."""
        for sent in self._transactions(record["startBlock"]):
            self.model.now = sent.time_s
            self._note_payments(sent)
            with self.history.step() as ends:
                self._follow(sent, ends)
            self.history.time_s = sent.time_s
            self._check(sent)

    def _transactions(self, first: int) -> list[Sent]:
        query = {"address": self._emitters, "fromBlock": hex(first), "toBlock": "latest"}
        logs = self._rpc.request("eth_getLogs", query)
        logs.sort(key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
        found = []
        for hash_, group in groupby(logs, key=lambda log: log["transactionHash"]):
            own = list(group)
            block = self._rpc.request("eth_getBlockByNumber", own[0]["blockNumber"], False)
            data = self._rpc.request("eth_getTransactionByHash", hash_)["input"]
            decoded = tuple(log for log in map(_decoded, own) if log is not None)
            assert len(decoded) == len(own), f"transaction {hash_} logs what no ABI has"
            found.append(Sent(int(block["timestamp"], 16), bytes.fromhex(data[2:]), decoded))
        return found

    def _note_payments(self, sent: Sent) -> None:
        for log in sent.logs:
            if log.name == "FundingAccrued":
                for held, got in self.history.running(log.at).items():
                    if held[1] == log.market:
                        self.paid[held, len(self.history.ended[held]) + 1] = got

    def _follow(self, sent: Sent, ends: dict[Held, int]) -> None:
        names = {log.name for log in sent.logs}
        if "BatchSettled" in names:
            self._settle(sent, ends)
        elif "Liquidated" not in names:
            # The first to touch a market in an hour, whatever for.
            for log in sent.logs:
                if log.name == "FundingAccrued":
                    self.model.poke(log.market)
        for log in sent.logs:
            self._event(log)

    def _event(self, log: Log) -> None:
        model = self.model
        match log.name:
            case "PricePushed":
                # The oracle has prices before the exchange lists the market.
                if log.market in model.markets:
                    model.push(log.market, log.price, log.published_at)
            case "MarketListed":
                model.list_market(Terms(log.market, log.ticker, log.size_decimals, log.price_decimals, *[0] * 7, 0))
            case "MarketChanged":
                market = model.markets[log.market]
                market.terms = replace(
                    market.terms,
                    tick=log.tick,
                    imf=log.imf,
                    mmf=log.mmf,
                    band=log.band,
                    max_open_interest=log.max_open_interest,
                    max_price_age=log.max_price_age,
                    liquidation_floor=log.liquidation_floor,
                    state=log.state,
                )
            case "MarginScaleSet":
                market = model.markets[log.market]
                market.terms = replace(market.terms, scale_from=log.scale_from, scale_to=log.scale_to)
            case "BackstopSet":
                model.backstop = log.backstop if int(log.backstop, 16) else None
            case "Deposited":
                model.deposit((log.account, log.subaccount), log.amount)
                self.history.net_transfers[log.account, log.subaccount] += log.amount
            case "Withdrawn":
                model.withdraw((log.account, log.subaccount), log.amount)
                self.history.net_transfers[log.account, log.subaccount] -= log.amount
            case "Donated":
                model.donate_insurance(log.amount)
            case "SlotCancelled":
                model.cancel_slot(log.signer, log.slot)
            case "AllCancelled":
                model.cancel_all((log.account, log.subaccount))
            case "Liquidated":
                taker = (log.liquidator, log.liquidator_subaccount)
                took = model.liquidate((log.account, log.subaccount), log.market, abs(log.size), taker)
                said = (log.size, log.price, log.insurance_fee, log.covered)
                assert said == (took.size, took.price, took.insurance, took.covered)
                self.takeovers += 1
            case name:
                assert name in _SILENT, f"the replay knows no {name}"

    def _settle(self, sent: Sent, ends: dict[Held, int]) -> None:
        assert sent.input[:4] == _SETTLE.selector
        _, _, batch, words = _SETTLE.decode_arguments(sent.input[4:])
        orders, fills = [self._signed(each) for each in batch], [_fill(word) for word in words]
        fees = self.model.fees
        sizes = {
            (key, market): position.size
            for key, account in self.model.accounts.items()
            for market, position in account.positions.items()
        }
        outcomes = self.model.settle(orders, fills)
        verdicts = [log for log in sent.logs if log.name in ("Fill", "FillRejected")]
        for outcome, log in zip(outcomes, verdicts, strict=True):
            if isinstance(outcome, Executed):
                assert log.name == "Fill", f"the contract rejects what the model settles: {log}"
                sides = (
                    (log.taker_position, outcome.taker, orders[outcome.fill.taker]),
                    (log.maker_position, outcome.maker, orders[outcome.fill.maker]),
                )
                for word, position, signed in sides:
                    assert PositionWord.unpack(word) == PositionWord(position.size, position.q, position.one_shot)
                    held = account_of(signed), market_of(signed)
                    ends[held] = ends.get(held, 0) + is_end(sizes.get(held, 0), position.size)
                    sizes[held] = position.size
            else:
                assert log.name == "FillRejected", f"the contract settles what the model rejects: {outcome}"
                assert (log.fault_class, log.reason, log.order_id) in outcome
                self.rejected += 1
        [settled] = [log for log in sent.logs if log.name == "BatchSettled"]
        assert settled.fees == self.model.fees - fees
        self.batches += 1

    def _signed(self, words: Sequence[int]) -> Signed:
        order = _order(words[0], words[1], self.model.markets[words[0] >> 64 & 0xFFFF].terms.ticker)
        hash_ = order.hash(self._domain)
        if not words[2]:
            return Signed(order, hash_, tuple(words), order.account)
        signature = Signature(words[2], words[3]).bytes65
        return Signed(order, hash_, tuple(words), Account._recover_hash(hash_, signature=signature))

    def _check(self, sent: Sent) -> None:
        """What the transaction logged of money and hours is what the model has now."""
        cash: dict[AccountKey, int] = {}
        for log in sent.logs:
            if log.name in ("Credited", "Debited", "PositionClosed"):
                cash[log.account, log.subaccount] = log.cash
            elif log.name == "FundingAccrued":
                funding = self.model.markets[log.market].funding
                said = (log.g_long, log.g_short, log.rate, log.at)
                assert said == (funding.g_long, funding.g_short, funding.rate, funding.hour * HOUR)
        assert cash == {key: self.model.accounts[key].cash for key in cash}


@dataclass
class Compared:
    """How much of what the front door said was held against the model."""

    accounts: int = 0
    ticks: int = 0
    positions: int = 0
    payments: int = 0
    paid: int = 0
    """Micro-USDC of funding that changed hands, either way."""


def compare(replay: Replay, get: Callable[..., Any], at: int) -> Compared:
    """Cash, equity, profit by the hour, funding payments and what each position got, of every account, to the unit.
    `get` reads from the front door, whose tables stand at time `at`. Raises `AssertionError` at the first difference.
    """
    found = Compared()
    ids = {market.terms.ticker: id_ for id_, market in replay.model.markets.items()}
    running = replay.history.running(at)
    for key, account in replay.model.accounts.items():
        if not account.cash and not account.positions:
            continue
        owner, number = key
        whose = {"address": owner, "subaccountNumber": number}
        said = get(f"/v4/addresses/{owner}/subaccountNumber/{number}")["subaccount"]
        [cash] = said["assetPositions"].values()
        assert _micro(cash["size"]) * (1 if cash["side"] == "LONG" else -1) == account.cash, key
        assert _micro(said["equity"]) == replay.history.equity(key, at), key
        found.accounts += 1

        for tick in get("/v4/historical-pnl", **whose)["historicalPnl"]:
            equity, transfers = replay.history.hours[_seconds(tick["createdAt"])].get(key, (0, 0))
            assert (_micro(tick["equity"]), _micro(tick["totalPnl"])) == (equity, equity - transfers), (key, tick)
            found.ticks += 1

        payments: dict[str, int] = defaultdict(int)
        for payment in get("/v4/fundingPayments", **whose)["fundingPayments"]:
            payments[payment["positionId"]] += _micro(payment["payment"])
            found.payments += 1
            found.paid += abs(_micro(payment["payment"]))
        for position in get("/v4/perpetualPositions", **whose)["positions"]:
            held, ordinal = (key, ids[position["market"]]), int(position["positionId"].rpartition("/")[2])
            ended = replay.history.ended[held]
            if position["status"] == "OPEN":
                assert ordinal == len(ended) + 1, position
                got, paid = running[held], replay.paid.get((held, ordinal), 0)
            else:
                got = paid = ended[ordinal - 1]
            assert (_micro(position["netFunding"]), payments[position["positionId"]]) == (got, paid), position
            found.positions += 1
    return found


def _micro(text: str) -> int:
    value = Decimal(text).scaleb(6)
    assert value == int(value), f"{text} is finer than a micro-USDC"
    return int(value)


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _decoded(log: Mapping[str, Any]) -> Log | None:
    topics = tuple(bytes.fromhex(topic[2:]) for topic in log["topics"])
    return _ABI.decode_log(RawLog(to_checksum_address(log["address"]), topics, bytes.fromhex(log["data"][2:])))


def _order(terms: int, amounts: int, ticker: str) -> Order:
    """From the two words that are signed (docs/protocol.md)."""
    flags = amounts & 0xFFFF
    return Order(
        market=ticker,
        side=SIDES[flags & 1],
        size=amounts >> 208,
        limit_price=amounts >> 160 & 2**48 - 1,
        account=to_checksum_address((terms >> 96).to_bytes(20, "big")),
        generation=amounts >> 64 & 2**48 - 1,
        expiry=terms >> 32 & 2**32 - 1,
        slot=amounts >> 48 & 0xFFFF,
        time_in_force=TIMES_IN_FORCE[flags >> 1 & 3],
        post_only=bool(flags >> 3 & 1),
        reduce_only=bool(flags >> 4 & 1),
        trigger=TRIGGERS[flags >> 5 & 3],
        trigger_price=amounts >> 112 & 2**48 - 1,
        max_fee_ppm=amounts >> 16 & 0xFFFF,
        subaccount=terms >> 80 & 0xFFFF,
        self_trade=SELF_TRADES[flags >> 7 & 3],
        revision=amounts >> 32 & 0xFFFF,
        referrer=terms & 2**32 - 1,
    )


def _fill(word: int) -> Fill:
    return Fill(
        word >> 192,
        word >> 144 & 2**48 - 1,
        word >> 96 & 2**48 - 1,
        word >> 88 & 0xFF,
        word >> 80 & 0xFF,
        signed_field(word, 64, 16),
        signed_field(word, 48, 16),
        word >> 32 & 0xFFFF,
        word & 2**32 - 1,
    )
