# SPDX-License-Identifier: Apache-2.0
"""Money in and out, and what one can do about a position without the operator: one's own transactions.

Each sends one transaction (a deposit sends an approval before it when the allowance is short), waits until it is in a
block and returns a `Sent`. Amounts are human USDC and exact. Only the instant withdrawal needs the operator.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ouro import addresses
from ouro.client.amounts import Amount, decimal_of, lots_of
from ouro.client.calls import Call, Flow, Pause, one
from ouro.client.config import ClientConfig
from ouro.client.contracts import Sent, call, rpc, send
from ouro.client.errors import RefusedError, TransactionError, UnreachableError
from ouro.client.market_reads import height
from ouro.client.models import Cosignature
from ouro.client.session import Session
from ouro.client.signers import Signer, TypedMessage, checked_message
from ouro.events import ReferrerRegistered, WithdrawalRequested
from ouro.units import from_micro, plain, usdc

LOCAL_CHAIN_ID = 31_337
"""The chain id of the local stack, the only one with a faucet."""

FAUCET_NATIVE_WEI = 10 * 10**18
"""Native coin the faucet leaves an account with, for gas."""

COSIGNATURE_LIFETIME_S = 300
"""How long a signed instant withdrawal may be executed unless the caller says otherwise."""

SEEN_POLL_S = 0.2

_NOBODY = "0x" + "00" * 20


@dataclass(frozen=True)
class Withdrawal:
    """A signed instant withdrawal: `amount` in micro-USDC, `deadline` in seconds since 1970, the owner's signature."""

    account: str
    subaccount: int
    amount: int
    to: str
    nonce: int
    deadline: int
    signature: str = ""

    def message(self) -> dict[str, Any]:
        """The EIP-712 message `Withdrawal`."""
        return {
            "account": self.account,
            "subaccount": self.subaccount,
            "amount": self.amount,
            "to": self.to,
            "nonce": self.nonce,
            "deadline": self.deadline,
        }


@dataclass(frozen=True)
class WithdrawalRequest:
    """A delayed withdrawal in the Vault's queue; `amount` is human USDC, `ready_at` when anyone may execute it."""

    id: int
    account: str
    subaccount: int
    amount: Decimal
    to: str
    ready_at: datetime


@dataclass(frozen=True)
class WithdrawalRules:
    """Where alone withdrawals may go, and who must consent to each; None: anywhere, nobody. The `next_` ones hold from
    `changes_at` on, if a change waits.
    """

    destination: str | None
    approver: str | None
    next_destination: str | None = None
    next_approver: str | None = None
    changes_at: datetime | None = None


def wallet_usdc(session: Session) -> Flow[Decimal]:
    """Tokens in the wallet, outside the exchange."""
    return from_micro((yield from call(session, "TestUSDC", "balanceOf", session.address)))


def faucet(session: Session, amount: Amount) -> Flow[Sent]:
    """Mint test USDC to the wallet and see that it can pay for gas. Only on the local chain."""
    config = yield from session.config()
    if config.chain_id != LOCAL_CHAIN_ID:
        raise TransactionError(f"the faucet exists on the local chain only, this is chain {config.chain_id}")
    wallet = session.require_signer().address
    if int((yield from rpc(session, "eth_getBalance", wallet, "latest")), 16) < FAUCET_NATIVE_WEI // 10:
        yield from rpc(session, "anvil_setBalance", wallet, hex(FAUCET_NATIVE_WEI))
    return (yield from send(session, "TestUSDC", "mint", wallet, usdc(decimal_of(amount, "amount"))))


def deposit(session: Session, amount: Amount, *, subaccount: int = 0) -> Flow[Sent]:
    """Move `amount` USDC from the wallet into a subaccount; approves the Vault first when needed."""
    config = yield from session.config()
    micro = usdc(decimal_of(amount, "amount"))
    wallet, vault = session.require_signer().address, config.contracts.vault
    held = yield from call(session, "TestUSDC", "balanceOf", wallet)
    if held < micro:
        raise TransactionError(
            f"the wallet holds {plain(from_micro(held))} USDC, less than {plain(from_micro(micro))} to deposit"
        )
    if (yield from call(session, "TestUSDC", "allowance", wallet, vault)) < micro:
        yield from send(session, "TestUSDC", "approve", vault, micro)
    return (yield from send(session, "Vault", "deposit", session.address, subaccount, micro))


def wait_until_seen(session: Session, sent: Sent, *, timeout_seconds: float = 30) -> Flow[None]:
    """Wait until the exchange shows the block of a transaction, and its relayer counts with it. Raises
    `UnreachableError` when that takes longer.
    """
    waited = 0.0
    while min((yield from height(session)).height, (yield from _relayer_height(session))) < sent.block_number:
        if waited >= timeout_seconds:
            raise UnreachableError(f"the exchange does not show block {sent.block_number} after {timeout_seconds:g} s")
        yield Pause(SEEN_POLL_S)
        waited += SEEN_POLL_S


def _relayer_height(session: Session) -> Flow[float]:
    """The newest block that the relayer counts with; infinite when it cannot be asked."""
    config = yield from session.config()
    if not config.relayer_url:
        return math.inf
    answer: dict[str, Any]
    try:
        answer = yield Call("GET", config.relayer_url.rstrip("/") + "/ready", dict[str, Any])
    except RefusedError as not_ready:
        answer = not_ready.body
    except UnreachableError:
        return math.inf
    return int(answer.get("height") or 0)


def sign_withdrawal(
    session: Session,
    amount: Amount,
    *,
    to: str | None = None,
    subaccount: int = 0,
    expires_in_seconds: int = COSIGNATURE_LIFETIME_S,
) -> Flow[Withdrawal]:
    """Sign an instant withdrawal of `amount` USDC (human) to `to`, the account itself unless said otherwise."""
    config = yield from session.config()
    now_ms = session.clock.next()
    withdrawal = Withdrawal(
        account=session.address,
        subaccount=subaccount,
        amount=usdc(decimal_of(amount, "amount")),
        to=_recipient(session, config, to),
        nonce=now_ms * 1000 + secrets.randbelow(1000),
        deadline=now_ms // 1000 + expires_in_seconds,
    )
    signature = yield from session.sign(config.vault_domain(), "Withdrawal", withdrawal.message())
    return Withdrawal(**withdrawal.message(), signature=signature)


def request_cosignature(_session: Session, withdrawal: Withdrawal) -> Flow[Cosignature]:
    """Ask the operator to co-sign; the relayer reserves the amount. For `withdraw_signed`."""
    body = {"withdrawal": withdrawal.message(), "signature": withdrawal.signature}
    return (yield from one(Call("POST", "/v4/withdrawals", Cosignature, body=body)))


def withdraw_signed(
    session: Session, withdrawal: Withdrawal, cosignature: str, *, approver: Signer | None = None
) -> Flow[Sent]:
    """Pay out at once with the owner's signature and the operator's co-signature, and where the account has an
    approver, with his.
    """
    config = yield from session.config()
    terms = tuple(withdrawal.message().values())
    signatures = [bytes.fromhex(text[2:]) for text in (withdrawal.signature, cosignature)]
    if approver is None:
        return (yield from send(session, "Vault", "withdraw_signed", terms, *signatures))
    message = TypedMessage.of(config.vault_domain(), "Withdrawal", withdrawal.message())
    signatures.append(bytes.fromhex(checked_message(approver, message)[2:]))
    return (yield from send(session, "Vault", "withdraw_approved", terms, *signatures))


def withdraw(
    session: Session,
    amount: Amount,
    *,
    to: str | None = None,
    subaccount: int = 0,
    approver: Signer | None = None,
    expires_in_seconds: int = COSIGNATURE_LIFETIME_S,
) -> Flow[Sent]:
    """Withdraw at once: signed, co-signed by the operator, and paid out. `approver` is the signer of the one whom the
    account's rules name. Raises `RefusedError` when the operator does not co-sign; then `request_withdrawal` needs
    nobody.
    """
    signed = yield from sign_withdrawal(
        session, amount, to=to, subaccount=subaccount, expires_in_seconds=expires_in_seconds
    )
    cosignature = (yield from request_cosignature(session, signed)).cosignature
    return (yield from withdraw_signed(session, signed, cosignature, approver=approver))


def transfer(session: Session, amount: Amount, *, source: int, target: int) -> Flow[Sent]:
    """Move `amount` USDC from one subaccount of the owner to another: an instant withdrawal to the wallet and a deposit
    (two transactions). Should the second fail, the money is in the wallet.
    """
    if source == target:
        raise ValueError("source and target are the same subaccount")
    yield from withdraw(session, amount, subaccount=source)
    return (yield from deposit(session, amount, subaccount=target))


def request_withdrawal(
    session: Session, amount: Amount, *, subaccount: int = 0, to: str | None = None
) -> Flow[WithdrawalRequest]:
    """Queue a delayed withdrawal; after the delay anyone may execute it."""
    recipient = _recipient(session, (yield from session.config()), to)
    micro = usdc(decimal_of(amount, "amount"))
    sent = yield from send(session, "Vault", "request_withdrawal", subaccount, micro, recipient)
    return (yield from withdrawal_request(session, sent.event(WithdrawalRequested).id))


def withdrawal_request(session: Session, withdrawal_id: int) -> Flow[WithdrawalRequest]:
    """A queued withdrawal. Raises `TransactionError` when there is none of that id, or it is done."""
    account, subaccount, amount, to, ready_at = yield from call(session, "Vault", "withdrawals", withdrawal_id)
    if not ready_at:
        raise TransactionError(f"no withdrawal {withdrawal_id} is waiting")
    return WithdrawalRequest(
        withdrawal_id,
        addresses.parse(account),
        subaccount,
        from_micro(amount),
        addresses.parse(to),
        datetime.fromtimestamp(ready_at, UTC),
    )


def execute_withdrawal(session: Session, withdrawal_id: int) -> Flow[Sent]:
    """Pay out a queued withdrawal whose delay is over."""
    return (yield from send(session, "Vault", "execute_withdrawal", withdrawal_id))


def cancel_withdrawal(session: Session, withdrawal_id: int) -> Flow[Sent]:
    """Take a queued withdrawal back."""
    return (yield from send(session, "Vault", "cancel_withdrawal", withdrawal_id))


def approve_withdrawal(session: Session, withdrawal_id: int) -> Flow[Sent]:
    """Consent, as the approver of its account, to a queued withdrawal as it stands."""
    request = yield from withdrawal_request(session, withdrawal_id)
    terms = (request.id, usdc(request.amount), request.to, b"")
    return (yield from send(session, "Vault", "approve_withdrawal", *terms))


def withdrawal_rules(session: Session, *, address: str | None = None) -> Flow[WithdrawalRules]:
    """The rules for withdrawals of an account, and those that are to come."""
    account = session.address_or(address)
    destination, approver = yield from call(session, "Vault", "rules", account)
    next_destination, next_approver, at = yield from call(session, "Vault", "next_rules", account)
    if not at:
        return WithdrawalRules(_somebody(destination), _somebody(approver))
    return WithdrawalRules(
        _somebody(destination),
        _somebody(approver),
        _somebody(next_destination),
        _somebody(next_approver),
        datetime.fromtimestamp(at, UTC),
    )


def set_withdrawal_rules(
    session: Session, *, destination: str | None = None, approver: str | None = None
) -> Flow[Sent]:
    """Bind all withdrawals of the account to one destination, or to the consent of an approver, or both; None: to
    none. The first rules hold at once, every later change after 11 days.
    """
    chosen = [_NOBODY if who is None else addresses.parse(who) for who in (destination, approver)]
    return (yield from send(session, "Vault", "set_rules", *chosen))


def request_close(session: Session, market: str, size: Amount, *, subaccount: int = 0) -> Flow[Sent]:
    """Ask to close `size` of a position without the operator: six hours later, for one hour, anyone may execute it at
    a price 0.5% worse than the index. It cannot be taken back.
    """
    config = yield from session.config()
    listed = config.market(market)
    lots = lots_of(session, listed, size)
    return (yield from send(session, "Exchange", "request_close", subaccount, listed.id, lots))


def register_referrer(session: Session, *, subaccount: int = 0) -> Flow[int]:
    """Become a referrer: the number to put into orders (`referrer=`). What they pay accrues to that subaccount."""
    sent = yield from send(session, "Exchange", "register_referrer", subaccount)
    return sent.event(ReferrerRegistered).number


def claim_referral(session: Session, number: int) -> Flow[Sent]:
    """Move what has accrued to a referrer into his subaccount. Refused when it is nothing."""
    return (yield from send(session, "Exchange", "claim_referral", number))


def cancel_slot(session: Session, slot: int) -> Flow[Sent]:
    """Cancel on chain whatever order of this key uses `slot`; in force one settlement window later, for everyone."""
    return (yield from send(session, "Exchange", "cancel_slot", slot))


def cancel_all_orders(session: Session, *, subaccount: int = 0) -> Flow[Sent]:
    """Cancel on chain every order of a subaccount; in force one settlement window later, for everyone."""
    return (yield from send(session, "Exchange", "cancel_all", subaccount))


def _recipient(session: Session, config: ClientConfig, to: str | None) -> str:
    """Who is paid. Raises `ValueError` for an address from which nobody would get the money back."""
    recipient = session.address if to is None else addresses.parse(to)
    contracts = {address: name for name, address in config.deployment.addresses.items()}
    if int(recipient, 16) == 0 or recipient in contracts:
        whose = "nobody's" if int(recipient, 16) == 0 else f"the exchange's own {contracts[recipient]}"
        raise ValueError(f"{recipient} is {whose}: what is paid there is lost")
    return recipient


def _somebody(address: str) -> str | None:
    return None if int(address, 16) == 0 else addresses.parse(address)
