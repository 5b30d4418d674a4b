# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Ouro Vault
@license GNU Affero General Public License v3.0 only
@notice Holds every token. Cash goes in by `deposit`, out by a delayed request that needs nobody, or at once with the signatures of the
        owner and of a cosigner (the operator).
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import ILedger

initializes: ownable
initializes: ownable_2step[ownable := ownable]

exports: (
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
)


event Deposited:
    account: indexed(address)
    subaccount: uint256
    amount: uint256
    payer: indexed(address)


event Donated:
    payer: indexed(address)
    amount: uint256


event WithdrawalRequested:
    id: indexed(uint256)
    account: indexed(address)
    subaccount: uint256
    amount: uint256
    to: address
    ready_at: uint256


event WithdrawalCancelled:
    id: indexed(uint256)
    account: indexed(address)


event Withdrawn:
    account: indexed(address)
    subaccount: uint256
    amount: uint256
    to: indexed(address)
    id_or_nonce: uint256
    instant: bool


event CosignerSet:
    cosigner: indexed(address)
    allowed: bool


struct Withdrawal:
    account: address
    subaccount: uint256
    amount: uint256
    to: address
    nonce: uint256
    deadline: uint256


struct Request:
    account: address
    subaccount: uint256
    amount: uint256
    to: address
    ready_at: uint256


DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
WITHDRAWAL_TYPE: constant(bytes32) = keccak256(
    "Withdrawal(address account,uint16 subaccount,uint64 amount,address to,uint64 nonce,uint32 deadline)"
)
# half the order of secp256k1: the highest canonical s
HIGH_S: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168

token: public(immutable(IERC20))
exchange: public(immutable(ILedger))
withdrawal_delay: public(immutable(uint256))

is_cosigner: public(HashMap[address, bool])
nonce_used: public(HashMap[address, HashMap[uint256, bool]])
withdrawals: public(HashMap[uint256, Request])
next_id: public(uint256)


@deploy
def __init__(token_: address, exchange_: address, delay: uint256):
    """
    @param delay Seconds from a request to its execution; at least the settle window, so that no match can be taken back.
    """
    assert token_.is_contract and exchange_.is_contract, "token or exchange has no code"
    token = IERC20(token_)
    exchange = ILedger(exchange_)
    assert delay >= staticcall exchange.SETTLE_WINDOW(), "delay below the settle window"
    assert delay <= 7 * 86_400, "delay above a week"
    withdrawal_delay = delay
    self.next_id = 1
    ownable.__init__()
    ownable_2step.__init__()


@external
def deposit(owner: address, subaccount: uint256, amount: uint256):
    """
    @notice Pulls `amount` from the caller and credits what arrived to the account.
    """
    assert owner != empty(address), "no owner"
    received: uint256 = self._pull(amount)
    log Deposited(account=owner, subaccount=subaccount, amount=received, payer=msg.sender)
    extcall exchange.credit(owner, subaccount, received)


@external
def donate(amount: uint256):
    """
    @notice Pulls `amount` from the caller and gives what arrived to the insurance fund. From a wallet and not from an account, so
            that nobody takes back a match by giving away his margin.
    """
    received: uint256 = self._pull(amount)
    log Donated(payer=msg.sender, amount=received)
    extcall exchange.credit_insurance(received)


@external
def request_withdrawal(subaccount: uint256, amount: uint256, to: address) -> uint256:
    """
    @notice Starts the delayed way out. Nothing is set aside: what is withdrawable when it executes is paid.
    """
    assert subaccount < 2**16, "subaccount above 65535"
    assert amount != 0 and amount < 2**64, "amount not in 1..2^64-1"
    self._check_recipient(to)
    id: uint256 = self.next_id
    self.next_id = id + 1
    ready_at: uint256 = block.timestamp + withdrawal_delay
    self.withdrawals[id] = Request(
        account=msg.sender, subaccount=subaccount, amount=amount, to=to, ready_at=ready_at
    )
    log WithdrawalRequested(
        id=id, account=msg.sender, subaccount=subaccount, amount=amount, to=to, ready_at=ready_at
    )
    return id


@external
def cancel_withdrawal(id: uint256):
    assert self.withdrawals[id].account == msg.sender, "not your request"
    self.withdrawals[id] = empty(Request)
    log WithdrawalCancelled(id=id, account=msg.sender)


@external
def execute_withdrawal(id: uint256):
    """
    @notice Pays a request that is due. Anyone may call; only the owner may take what is withdrawable when that is less than
            what was asked for, since the payment ends the request.
    """
    request: Request = self.withdrawals[id]
    assert request.account != empty(address), "no such request"
    assert block.timestamp >= request.ready_at, "not due yet"
    amount: uint256 = min(
        request.amount, staticcall exchange.withdrawable(request.account, request.subaccount)
    )
    assert amount != 0, "nothing is withdrawable"
    assert amount == request.amount or msg.sender == request.account, "less is withdrawable"
    self.withdrawals[id] = empty(Request)
    self._pay(request.account, request.subaccount, amount, request.to, id, False)


@external
def withdraw_signed(withdrawal: Withdrawal, owner_signature: Bytes[65], cosigner_signature: Bytes[65]):
    """
    @notice Pays at once. Owner and cosigner sign the same EIP-712 message. Anyone may submit it.
    """
    assert block.timestamp <= withdrawal.deadline, "past the deadline"
    assert withdrawal.subaccount < 2**16, "subaccount above 65535"
    assert withdrawal.amount < 2**64 and withdrawal.nonce < 2**64, "amount or nonce above 2^64-1"
    assert withdrawal.deadline < 2**32, "deadline above 2^32-1"
    assert not self.nonce_used[withdrawal.account][withdrawal.nonce], "nonce used"
    self._check_recipient(withdrawal.to)
    digest: bytes32 = self._digest(withdrawal)
    owner: address = self._recover(digest, owner_signature)
    assert owner == withdrawal.account and owner != empty(address), "bad owner signature"
    assert self.is_cosigner[self._recover(digest, cosigner_signature)], "bad cosigner signature"
    self.nonce_used[withdrawal.account][withdrawal.nonce] = True
    self._pay(
        withdrawal.account,
        withdrawal.subaccount,
        withdrawal.amount,
        withdrawal.to,
        withdrawal.nonce,
        True,
    )


@external
def set_cosigner(cosigner: address, allowed: bool):
    assert msg.sender == ownable.owner, "only governance"
    assert cosigner != empty(address), "no cosigner"
    self.is_cosigner[cosigner] = allowed
    log CosignerSet(cosigner=cosigner, allowed=allowed)


@internal
def _pull(amount: uint256) -> uint256:
    """
    @return What arrived, which may be less than what was sent.
    """
    before: uint256 = staticcall token.balanceOf(self)
    assert extcall token.transferFrom(msg.sender, self, amount, default_return_value=True), "transfer failed"
    received: uint256 = staticcall token.balanceOf(self) - before
    assert received != 0, "nothing arrived"
    return received


@internal
@view
def _check_recipient(to: address):
    assert to != empty(address) and to != self and to != exchange.address, "bad recipient"


@internal
def _pay(
    account: address, subaccount: uint256, amount: uint256, to: address, id_or_nonce: uint256, instant: bool
):
    extcall exchange.debit(account, subaccount, amount)
    log Withdrawn(
        account=account,
        subaccount=subaccount,
        amount=amount,
        to=to,
        id_or_nonce=id_or_nonce,
        instant=instant,
    )
    assert extcall token.transfer(to, amount, default_return_value=True), "transfer failed"


@internal
@view
def _digest(w: Withdrawal) -> bytes32:
    domain: bytes32 = keccak256(abi_encode(DOMAIN_TYPE, keccak256("Ouro"), keccak256("1"), chain.id, self))
    return keccak256(
        concat(
            x"1901",
            domain,
            keccak256(
                abi_encode(WITHDRAWAL_TYPE, w.account, w.subaccount, w.amount, w.to, w.nonce, w.deadline)
            ),
        )
    )


@internal
@pure
def _recover(digest: bytes32, signature: Bytes[65]) -> address:
    """
    @return Who signed, or the zero address for a signature that is not canonical.
    """
    if len(signature) != 65:
        return empty(address)
    r: uint256 = convert(slice(signature, 0, 32), uint256)
    s: uint256 = convert(slice(signature, 32, 32), uint256)
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    if s > HIGH_S or (v != 27 and v != 28):
        return empty(address)
    return ecrecover(digest, v, r, s)
