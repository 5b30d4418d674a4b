# SPDX-License-Identifier: AGPL-3.0-only
"""The chain's part of a snapshot: the state at the last final block and the raw logs of the blocks above it.

The head is computed from both, as after a reorg.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec

from ouro.codec import FeeTier, PositionWord
from ouro.ledger import Account, Ledger, MarketLedger
from ouro.markets import Market
from relayer.core.chain_state import Block, Chain, ChainState, PendingWithdrawal, SessionKey
from relayer.core.inputs import ChainBlock, Log

Row = Sequence[Any]

FIELDS: dict[type, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Chain: (("final", "final_number", "blocks"), ("_contracts", "head")),
    Block: (("number", "hash", "time_s", "logs", "prices"), ("events",)),
    ChainState: (
        (
            "account_stamps",
            "fee_tiers",
            "head",
            "key_signers",
            "keys",
            "ledger",
            "owners",
            "slot_stamps",
            "used_nonces",
            "volumes",
            "withdrawals",
        ),
        ("operator",),
    ),
    Ledger: (
        (
            "_shared",
            "accounts",
            "backstop",
            "fees",
            "insurance",
            "markets",
            "markets_state",
            "oracle",
            "referrals",
            "referrer_share_ppm",
        ),
        (),
    ),
}
"""Attributes written, and attributes derived."""


def write(chain: Chain) -> object:
    """The chain as plain values."""
    blocks = [
        (
            block.number,
            block.hash,
            block.time_s,
            [(log.address, log.topics, log.data, log.transaction_hash, log.log_index) for log in block.logs],
            block.prices,
        )
        for block in chain.blocks
    ]
    return chain.final_number, blocks, _write_state(chain.final)


def read(chain: Chain, data: Row) -> None:
    """Puts what `write` gave into a fresh chain."""
    final_number, rows, final = data
    blocks = [
        ChainBlock(
            number,
            block_hash,
            b"",
            time_s,
            tuple(
                Log(address, tuple(topics), log_data, transaction_hash, log_index)
                for address, topics, log_data, transaction_hash, log_index in logs
            ),
            prices=tuple((market, price, published_at) for market, price, published_at in prices),
        )
        for number, block_hash, time_s, logs, prices in rows
    ]
    chain.restore(_read_state(final, chain.final.operator), final_number, blocks)


def market_row(market: Market) -> object:
    """A market's parameters as plain values."""
    return dataclasses.astuple(market)


def market_of(row: Row) -> Market:
    """The market again."""
    return Market(*row)


def _write_state(state: ChainState) -> object:
    return (
        state.head,
        [(number, msgspec.structs.astuple(each)) for number, each in state.withdrawals.items()],
        list(state.used_nonces),
        list(state.slot_stamps.items()),
        list(state.account_stamps.items()),
        list(state.owners),
        [(names, msgspec.structs.astuple(key)) for names, key in state.keys.items()],
        list(state.key_signers),
        [msgspec.structs.astuple(tier) for tier in state.fee_tiers],
        list(state.volumes.items()),
        _write_ledger(state.ledger),
    )


def _read_state(data: Row, operator: str) -> ChainState:
    head, withdrawals, used_nonces, slot_stamps, account_stamps, owners, keys, key_signers, *others = data
    tiers, volumes, ledger = others
    state = ChainState(_read_ledger(ledger), operator)
    state.head = head
    state.withdrawals = {number: PendingWithdrawal(*row) for number, row in withdrawals}
    state.used_nonces = dict.fromkeys(used_nonces)
    state.slot_stamps = {(signer, slot): stamp for (signer, slot), stamp in slot_stamps}
    state.account_stamps = {(owner, subaccount): stamp for (owner, subaccount), stamp in account_stamps}
    state.owners = dict.fromkeys(owners)
    state.keys = {(owner, key): SessionKey(tuple(markets), *others) for (owner, key), (markets, *others) in keys}
    state.key_signers = dict.fromkeys(key_signers)
    state.fee_tiers = tuple(FeeTier(*row) for row in tiers)
    state.volumes = {owner: tuple((day, notional) for day, notional in days) for owner, days in volumes}
    return state


def _write_ledger(ledger: Ledger) -> object:
    return (
        [
            (key, account.cash, [(id_, word.size, word.q, word.one_shot_ms) for id_, word in account.positions.items()])
            for key, account in ledger.accounts.items()
        ],
        [market_row(market) for market in ledger.markets.values()],
        [(market_id, msgspec.structs.astuple(each)) for market_id, each in ledger.markets_state.items()],
        (ledger.insurance, ledger.fees, ledger.backstop, ledger.referrer_share_ppm, ledger._shared, ledger.oracle),
        list(ledger.referrals.items()),
    )


def _read_ledger(data: Row) -> Ledger:
    accounts, markets, figures, sums, referrals = data
    ledger = Ledger(market_of(row) for row in markets)
    ledger.accounts = {
        (owner, subaccount): Account(cash, {id_: PositionWord(*word) for id_, *word in positions})
        for (owner, subaccount), cash, positions in accounts
    }
    ledger.markets_state = {market_id: MarketLedger(*row) for market_id, row in figures}
    ledger.insurance, ledger.fees, ledger.backstop, ledger.referrer_share_ppm, ledger._shared, ledger.oracle = sums
    ledger.referrals = dict(referrals)
    return ledger
