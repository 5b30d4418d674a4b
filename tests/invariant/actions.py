# SPDX-License-Identifier: AGPL-3.0-only
"""The twin with everything that came after trading: keys, referrers, deleveraging, closes on request, winding up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.reference.exchange import AccountKey, HandedOver
from tests.reference.exits import Closed
from tests.reference.sessions import Key
from tests.support.abi import Log
from tests.support.build import storage_slot
from tests.support.chain import Receipt
from tests.support.twin import Twin, mapping_slot
from tests.support.wire import PositionWord, Signed, sign_digest

SESSION_KEY_TYPE = "SessionKey(address account,address key,string[] markets,uint64 budget,uint32 expiry,uint64 nonce)"
BACKSTOP = "0x" + "ba" * 20
KEY_WORDS = storage_slot("Exchange", "sessions", "words")
ACCRUED = storage_slot("Exchange", "referrers", "accrued")
CLOSE_REQUESTS = storage_slot("Exchange", "accounts", "close_requests")


@dataclass
class Happened:
    """What both sides say of an action, and the receipt."""

    told: Any = None
    logs: list[Log] = None  # type: ignore[assignment]


class WholeTwin(Twin):
    """Each action answers what the model says of it; None when both refuse."""

    # What must hold after every action

    def check(self, *, thoroughly: bool = True) -> None:
        """Also what is remembered of orders, keys, referrers and requests (I15)."""
        super().check(thoroughly=thoroughly)
        for (signer, number), known in self.model.slots.items():
            slot, tag = self.slot_of(signer, number), int.from_bytes(known.id, "big") & 2**88 - 1
            expected = (known.generation, known.revision, known.filled, tag)
            found = (slot.generation, slot.revision, slot.filled, slot.tag)
            assert found == expected, f"slot {number} of {signer}: {found} is not {expected}"
        for (owner, key), known_key in self.model.keys.keys.items():
            word = self._stored(mapping_slot(KEY_WORDS, int(owner, 16)), int(key, 16))
            fields = (216, 40), (176, 40), (112, 64)
            expiry, revoked_at, budget = (word >> shift & 2**bits - 1 for shift, bits in fields)
            assert (expiry, budget) == (known_key.expiry, known_key.budget), key
            assert revoked_at == (known_key.revoked_at or 0), key
        for number, accrued in self.model.referrers.accrued.items():
            assert self._stored(ACCRUED, number) == accrued, number
        for (account, market), request in self.model.close_requests.items():
            word = self._stored(CLOSE_REQUESTS, (int(account[0], 16) << 16 | account[1]) << 16 | market)
            assert (word >> 41, word >> 1 & 2**40 - 1) == (abs(request.size), request.ready_at)
            assert word & 1 == (request.size > 0)

    # Session keys

    def register_key(self, owner: LocalAccount, key: LocalAccount, terms: Key, nonce: int, *, signed: bool) -> bool:
        """By the owner's transaction, or by anyone's with the owner's signature."""
        fields = (owner.address, key.address, list(terms.markets), terms.budget, terms.expiry, nonce)
        signature = sign_digest(owner, self.session_digest(owner.address, key.address, terms, nonce)).bytes65
        sender = self.world.operator if signed else owner.address
        happened = self._play(
            "register key",
            lambda: self.world.exchange.send(sender).register_session_key(*fields, signature if signed else b""),
            lambda: self.model.register_session_key(owner.address, key.address, terms, nonce),
        )
        if happened is None:
            return False
        [log] = [log for log in happened.logs if log.name == "SessionKeyRegistered"]
        packed = 0
        for market in terms.markets:
            packed = packed << 16 | market
        assert (log.account, log.key, log.markets) == (owner.address, key.address, packed)
        assert (log.budget, log.expiry, log.nonce) == (terms.budget, terms.expiry, nonce)
        return True

    def session_digest(self, account: str, key: str, terms: Key, nonce: int) -> bytes:
        """What the owner signs."""
        names = [keccak(text=self.listings[market].ticker) for market in terms.markets]
        numbers = (int(account, 16), int(key, 16), keccak(b"".join(names)), terms.budget, terms.expiry, nonce)
        words = [part if isinstance(part, bytes) else part.to_bytes(32, "big") for part in numbers]
        message = keccak(keccak(text=SESSION_KEY_TYPE) + b"".join(words))
        return keccak(b"\x19\x01" + self.world.domain.separator + message)

    def revoke_key(self, owner: str, key: str, by: str) -> bool:
        happened = self._play(
            "revoke key",
            lambda: self.world.exchange.send(by).revoke_session_key(owner, key),
            lambda: self.model.revoke_session_key(owner, key, by),
        )
        return happened is not None

    # Referrers

    def register_referrer(self, owner: LocalAccount, subaccount: int) -> bool:
        happened = self._play(
            "register referrer",
            lambda: self.world.exchange.send(owner.address).register_referrer(subaccount),
            lambda: self.model.register_referrer((owner.address, subaccount)),
        )
        assert happened is not None
        [log] = happened.logs
        assert (log.number, log.account, log.subaccount) == (happened.told, owner.address, subaccount)
        return True

    def claim_referral(self, number: int) -> bool:
        happened = self._play(
            "claim referral",
            lambda: self.world.exchange.send(self.world.operator).claim_referral(number),
            lambda: self.model.claim_referral(number),
        )
        if happened is None:
            return False
        assert [(log.name, log.amount) for log in happened.logs] == [
            ("ReferralClaimed", happened.told),
            ("Credited", happened.told),
        ]
        return True

    def set_referrer_share(self, share: int) -> None:
        self.world.exchange.send(self.world.governance).set_referrer_share(share)
        self.model.referrers.share = share
        self.tally.count("set referrer share", took_effect=True)

    def set_margin_scale(self, market: int, scale_from: int, scale_to: int) -> None:
        self.world.exchange.send(self.world.governance).set_margin_scale(market, scale_from, scale_to)
        known = self.model.markets[market]
        known.terms = replace(known.terms, scale_from=scale_from, scale_to=scale_to)
        self.tally.count("set margin scale", took_effect=True)

    # The backstop, of which only the account matters here

    def name_backstop(self) -> None:
        self.world.evm.set_code(BACKSTOP, b"\x00")
        self.world.exchange.send(self.world.governance).set_backstop(BACKSTOP)
        self.model.backstop = self.world.exchange.call.backstop()
        assert self.model.backstop is not None
        self.model.accounts[self.model.backstop, 0].cash = 0

    def fund_backstop(self, payer: LocalAccount, amount: int) -> None:
        assert self.model.backstop is not None
        self._fill_purse(payer)
        self.world.vault.send(payer.address).deposit(self.model.backstop, 0, amount)
        self.model.deposit((self.model.backstop, 0), amount)
        self.tally.count("fund backstop", took_effect=True)

    # Deleveraging and closes on request

    def deleverage(
        self, key: AccountKey, market: int, counterparties: Sequence[AccountKey], sizes: Sequence[int]
    ) -> HandedOver | None:
        return self._hand_over("deleverage", "Deleveraged", key, market, counterparties, sizes)

    def execute_close(
        self, key: AccountKey, market: int, counterparties: Sequence[AccountKey], sizes: Sequence[int]
    ) -> HandedOver | None:
        return self._hand_over("execute_close", "CloseExecuted", key, market, counterparties, sizes)

    def _hand_over(
        self,
        action: str,
        event: str,
        key: AccountKey,
        market: int,
        counterparties: Sequence[AccountKey],
        sizes: Sequence[int],
    ) -> HandedOver | None:
        packed = [int(owner, 16) << 16 | subaccount for owner, subaccount in counterparties]
        sender = self.world.exchange.send(self.world.operator)
        happened = self._play(
            action.replace("_", " "),
            lambda: getattr(sender, action)(*key, market, packed, list(sizes)),
            lambda: getattr(self.model, action)(key, market, counterparties, sizes),
        )
        if happened is None:
            return None
        told: HandedOver = happened.told
        [log] = [log for log in happened.logs if log.name == event]
        assert (log.account, log.subaccount, log.market, log.size, log.price) == (*key, market, told.size, told.price)
        _same_position(log.position, told)
        parts = [log for log in happened.logs if log.name == "HandedOver"]
        assert [((log.counterparty, log.subaccount), log.size) for log in parts] == [part[:2] for part in told.parts]
        for log, (_, _, position) in zip(parts, told.parts, strict=True):
            _same_position(log.position, replace(told, position=position))
        return told

    def request_close(self, owner: LocalAccount, subaccount: int, market: int, size: int) -> bool:
        happened = self._play(
            "request close",
            lambda: self.world.exchange.send(owner.address).request_close(subaccount, market, size),
            lambda: self.model.request_close((owner.address, subaccount), market, size),
        )
        if happened is None:
            return False
        [log] = happened.logs
        assert (log.size, log.ready_at) == (happened.told.size, happened.told.ready_at)
        return True

    # Winding up

    def begin_settling(self, market: int, *, by_governance: bool) -> bool:
        caller = self.world.governance if by_governance else self.world.operator
        happened = self._play(
            "begin settling",
            lambda: self.world.exchange.send(caller).begin_settling(market),
            lambda: self.model.begin_settling(market, by_governance=by_governance),
        )
        return happened is not None

    def fix_settlement(self, market: int) -> bool:
        happened = self._play(
            "fix settlement",
            lambda: self.world.exchange.send(self.world.operator).fix_settlement(market),
            lambda: self.model.fix_settlement(market),
        )
        if happened is None:
            return False
        [log] = [log for log in happened.logs if log.name == "SettlementFixed"]
        assert log.price == happened.told
        return True

    def settle_positions(self, market: int, keys: Sequence[AccountKey]) -> list[Closed] | None:
        packed = [int(owner, 16) << 16 | subaccount for owner, subaccount in keys]
        happened = self._play(
            "settle positions",
            lambda: self.world.exchange.send(self.world.operator).settle_positions(market, packed),
            lambda: self.model.settle_positions(market, keys),
        )
        if happened is None:
            return None
        logs = [log for log in happened.logs if log.name == "PositionSettled"]
        assert [((log.account, log.subaccount), log.size, log.covered) for log in logs] == [
            (closed.key, closed.size, closed.covered) for closed in happened.told
        ]
        closed: list[Closed] = happened.told
        return closed

    def cover_debt(self, key: AccountKey) -> bool:
        happened = self._play(
            "cover debt",
            lambda: self.world.exchange.send(self.world.operator).cover_debt(*key),
            lambda: self.model.cover_debt(key),
        )
        return happened is not None

    def _play(self, action: str, contract: Callable[[], Receipt], model: Callable[[], object]) -> Happened | None:
        happened = Happened()

        def on_chain() -> None:
            happened.logs = contract().logs

        def in_model() -> None:
            happened.told = model()

        return happened if self._both(action, on_chain, in_model) else None


def signed_by_nobody(signed: Signed) -> Signed:
    """An order's words with a signature that recovers to nobody who matters."""
    terms, amounts, _, _ = signed.words
    return replace(signed, words=(terms, amounts, 1, 1), signer="0x" + "00" * 20)


def _same_position(word: int, told: HandedOver) -> None:
    position = told.position
    assert PositionWord.unpack(word) == PositionWord(position.size, position.q, position.one_shot)
