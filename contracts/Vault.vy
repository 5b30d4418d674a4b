# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Ouro Vault
@license GNU Affero General Public License v3.0 only
@notice Holds every token. Cash goes in by `deposit`, out by a delayed request that needs nobody, or at once with the signatures of the
        owner and of a cosigner (the operator). What leaves, net of what comes in, is capped per hour and per day. Nothing here
        can be paused; the guardian may delay, within fixed bounds.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import ILedger
from .modules import exit_rules
from .modules import outflow
from .modules import signatures

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: outflow
initializes: exit_rules

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


event WithdrawalApproved:
    id: indexed(uint256)
    approver: indexed(address)


event QueueStretched:
    until: uint256


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
APPROVAL_TYPE: constant(bytes32) = keccak256(
    "WithdrawalApproval(uint256 id,address account,uint64 amount,address to)"
)
STRETCH: constant(uint256) = 72 * 3_600
# a request waits a stretch once, and is done with it long before there can be another
STRETCH_PAUSE: constant(uint256) = 30 * 86_400

token: public(immutable(IERC20))
exchange: public(immutable(ILedger))
withdrawal_delay: public(immutable(uint256))

is_cosigner: public(HashMap[address, bool])
nonce_used: public(HashMap[address, HashMap[uint256, bool]])
next_id: public(uint256)
approver_of_request: public(HashMap[uint256, address])  # who consented to it
stretched_at: public(uint256)  # when the guardian last stretched the queue
stretched_before: uint256  # and the time before that
requests: HashMap[uint256, Request]  # due at `ready_at`, stretches that came later not counted


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
    outflow.__init__()


@external
def deposit(owner: address, subaccount: uint256, amount: uint256):
    """
    @notice Pulls `amount` from the caller and credits what arrived to the account.
    """
    self._deposit(owner, subaccount, amount)


@external
def deposit_with_permit(
    owner: address,
    subaccount: uint256,
    amount: uint256,
    deadline: uint256,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    """
    @notice Deposits with the caller's EIP-2612 permit in place of an approval. A permit that somebody else has brought to the token
            before is as good.
    """
    permitted: bool = raw_call(
        token.address,
        abi_encode(
            msg.sender,
            self,
            amount,
            deadline,
            v,
            r,
            s,
            method_id=method_id("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
        ),
        revert_on_failure=False,
    )
    self._deposit(owner, subaccount, amount)


@external
def donate(amount: uint256):
    """
    @notice Pulls `amount` from the caller and gives what arrived to the insurance fund. From a wallet and not from an account, so
            that nobody takes back a match by giving away his margin.
    """
    received: uint256 = self._pull(amount, empty(address))
    log Donated(payer=msg.sender, amount=received)
    extcall exchange.credit_insurance(received)


# The way out that needs nobody


@external
def request_withdrawal(subaccount: uint256, amount: uint256, to: address) -> uint256:
    """
    @notice Starts the delayed way out. Nothing is set aside: what is withdrawable when it executes is paid.
    """
    assert subaccount < 2**16, "subaccount above 65535"
    assert amount != 0 and amount < 2**64, "amount not in 1..2^64-1"
    self._check_recipient(msg.sender, to)
    id: uint256 = self.next_id
    self.next_id = id + 1
    # the clock of the queue stands still while it is stretched
    ready_at: uint256 = max(block.timestamp, self._stretched_until()) + withdrawal_delay
    self.requests[id] = Request(
        account=msg.sender, subaccount=subaccount, amount=amount, to=to, ready_at=ready_at
    )
    log WithdrawalRequested(
        id=id, account=msg.sender, subaccount=subaccount, amount=amount, to=to, ready_at=ready_at
    )
    return id


@external
def cancel_withdrawal(id: uint256):
    assert self.requests[id].account == msg.sender, "not your request"
    self.requests[id] = empty(Request)
    log WithdrawalCancelled(id=id, account=msg.sender)


@external
def execute_withdrawal(id: uint256):
    """
    @notice Pays a request that is due. Anyone may call. When less than was asked for is withdrawable, or may leave, only the owner
            may take that, and the rest stays in the queue, announced as a request of the same id.
    """
    request: Request = self.requests[id]
    assert request.account != empty(address), "no such request"
    ready_at: uint256 = self._ready_at(request)
    assert block.timestamp >= ready_at, "not due yet"
    amount: uint256 = min(
        request.amount, staticcall exchange.withdrawable(request.account, request.subaccount)
    )
    assert amount != 0, "nothing is withdrawable"
    amount = min(amount, outflow._room(staticcall token.balanceOf(self), request.account, False))
    assert amount != 0, "outflow cap"
    assert amount == request.amount or msg.sender == request.account, "less is withdrawable"
    self._check_recipient(request.account, request.to)
    approver: address = exit_rules._of(request.account).approver
    assert approver == empty(address) or self.approver_of_request[id] == approver, "not approved"
    if amount == request.amount:
        self.requests[id] = empty(Request)
    else:
        self.requests[id].amount -= amount
    self._pay(request.account, request.subaccount, amount, request.to, id, False)
    if amount != request.amount:
        # who reads the events knows that this money may still leave at any moment
        log WithdrawalRequested(
            id=id,
            account=request.account,
            subaccount=request.subaccount,
            amount=request.amount - amount,
            to=request.to,
            ready_at=ready_at,
        )


@external
def approve_withdrawal(id: uint256, amount: uint256, to: address, signature: Bytes[1024]):
    """
    @notice Consents to a request, as the approver whom its account named, or with that approver's signature.
    @param amount What may leave at most. It and `to` are said again, so that a request that takes another's id in a reorganised
           chain is not consented to.
    """
    request: Request = self.requests[id]
    assert request.account != empty(address), "no such request"
    assert request.amount <= amount and request.to == to, "another request"
    approver: address = exit_rules._of(request.account).approver
    assert approver != empty(address), "no approver"
    if msg.sender != approver:
        digest: bytes32 = self._digest(keccak256(abi_encode(APPROVAL_TYPE, id, request.account, amount, to)))
        assert signatures._is_signed_by(approver, digest, signature), "bad approver signature"
    self.approver_of_request[id] = approver
    log WithdrawalApproved(id=id, approver=approver)


@external
@view
def withdrawals(id: uint256) -> Request:
    """
    @return A request that waits, and when it is due; empty when there is none of this id.
    """
    request: Request = self.requests[id]
    if request.account != empty(address):
        request.ready_at = self._ready_at(request)
    return request


# The way out at once


@external
def withdraw_signed(withdrawal: Withdrawal, owner_signature: Bytes[1024], cosigner_signature: Bytes[1024]):
    """
    @notice Pays at once. Owner and cosigner sign the same EIP-712 message. Anyone may submit it.
    """
    self._withdraw_signed(withdrawal, owner_signature, cosigner_signature, b"")


@external
def withdraw_approved(
    withdrawal: Withdrawal,
    owner_signature: Bytes[1024],
    cosigner_signature: Bytes[1024],
    approver_signature: Bytes[1024],
):
    """
    @notice Pays at once from an account that has named an approver, who signs the same message too.
    """
    self._withdraw_signed(withdrawal, owner_signature, cosigner_signature, approver_signature)


@external
def withdraw_backstop(amount: uint256, to: address):
    """
    @notice Pays out of the Backstop's own account, as a request without an id: who leaves the Backstop has waited there.
    """
    backstop: address = staticcall exchange.backstop()
    assert backstop != empty(address) and msg.sender == backstop, "only the backstop"
    self._check_recipient(backstop, to)
    self._pay(backstop, 0, amount, to, 0, False)


# What an owner asks of withdrawals


@external
def set_rules(destination: address, approver: address):
    """
    @notice Where alone the caller's withdrawals may go, and who must consent to each (zero: anywhere, nobody). At once for a caller
            without rules; any change of rules waits 11 days, and asking for the present ones takes it back.
    """
    if destination != empty(address):
        self._check_payee(destination)
    exit_rules._set(msg.sender, exit_rules.Rules(destination=destination, approver=approver))


@external
@view
def rules(account: address) -> (address, address):
    """
    @return Destination and approver in force, zero for none.
    """
    present: exit_rules.Rules = exit_rules._of(account)
    return present.destination, present.approver


@external
@view
def next_rules(account: address) -> (address, address, uint256):
    """
    @return Destination and approver that were last asked for instead, and when they take (or took) effect; 0 = never.
    """
    next: exit_rules.Rules = exit_rules.next_rules[account]
    return next.destination, next.approver, exit_rules.next_rules_at[account]


# Limits


@external
@view
def outflow_limits() -> (uint256, uint256, uint256, uint256):
    """
    @return Floor (micro-USDC) and share (ppm) of the cap of an hour, then of a day.
    """
    limits: outflow.Limits = outflow._limits()
    return limits.hour_floor, limits.hour_share, limits.day_floor, limits.day_share


@external
@view
def outflow_room() -> (uint256, uint256):
    """
    @return What the caps let leave now, micro-USDC: by requests and for the Backstop, and at once.
    """
    held: uint256 = staticcall token.balanceOf(self)
    return outflow._room(held, empty(address), False), outflow._room(held, empty(address), True)


@external
@view
def outflow_room_of(account: address) -> (uint256, uint256):
    """
    @return The same for one owner, with what it brought in itself within a day.
    """
    held: uint256 = staticcall token.balanceOf(self)
    return outflow._room(held, account, False), outflow._room(held, account, True)


@external
def set_outflow_limits(hour_floor: uint256, hour_share: uint256, day_floor: uint256, day_share: uint256):
    assert msg.sender == ownable.owner, "only governance"
    self._set_outflow_limits(
        outflow.Limits(hour_floor=hour_floor, hour_share=hour_share, day_floor=day_floor, day_share=day_share)
    )


@external
def tighten_outflow(hour_floor: uint256, hour_share: uint256, day_floor: uint256, day_share: uint256):
    """
    @notice Lowers the caps, down to fixed bounds. For the guardian, and for governance.
    """
    self._check_guardian()
    limits: outflow.Limits = outflow.Limits(
        hour_floor=hour_floor, hour_share=hour_share, day_floor=day_floor, day_share=day_share
    )
    assert outflow._is_within(limits, outflow._limits()), "only lower"
    self._set_outflow_limits(limits)


@external
def stretch_queue():
    """
    @notice Stops the clock of the queue for 72 hours, at most once in 30 days: every request, due or not, is paid 72 hours later, and
            no request ever waits for that twice. For the guardian, and for governance.
    """
    self._check_guardian()
    last: uint256 = self.stretched_at
    assert last == 0 or block.timestamp >= last + STRETCH_PAUSE, "stretched within 30 days"
    self.stretched_before = last
    self.stretched_at = block.timestamp
    log QueueStretched(until=block.timestamp + STRETCH)


@external
def set_cosigner(cosigner: address, allowed: bool):
    assert msg.sender == ownable.owner, "only governance"
    assert cosigner != empty(address), "no cosigner"
    self.is_cosigner[cosigner] = allowed
    log CosignerSet(cosigner=cosigner, allowed=allowed)


@internal
def _deposit(owner: address, subaccount: uint256, amount: uint256):
    assert owner != empty(address), "no owner"
    received: uint256 = self._pull(amount, owner)
    log Deposited(account=owner, subaccount=subaccount, amount=received, payer=msg.sender)
    extcall exchange.credit(owner, subaccount, received)


@internal
def _pull(amount: uint256, owner: address) -> uint256:
    """
    @param owner For whom; zero for a gift.
    @return What arrived, which may be less than what was sent.
    """
    before: uint256 = staticcall token.balanceOf(self)
    assert extcall token.transferFrom(msg.sender, self, amount, default_return_value=True), "transfer failed"
    received: uint256 = staticcall token.balanceOf(self) - before
    assert received != 0, "nothing arrived"
    outflow._free(before, owner, received)
    return received


@internal
def _withdraw_signed(
    withdrawal: Withdrawal,
    owner_signature: Bytes[1024],
    cosigner_signature: Bytes[1024],
    approver_signature: Bytes[1024],
):
    assert block.timestamp <= withdrawal.deadline, "past the deadline"
    assert withdrawal.subaccount < 2**16, "subaccount above 65535"
    assert withdrawal.amount < 2**64 and withdrawal.nonce < 2**64, "amount or nonce above 2^64-1"
    assert withdrawal.deadline < 2**32, "deadline above 2^32-1"
    assert not self.nonce_used[withdrawal.account][withdrawal.nonce], "nonce used"
    self._check_recipient(withdrawal.account, withdrawal.to)
    digest: bytes32 = self._digest(
        keccak256(
            abi_encode(
                WITHDRAWAL_TYPE,
                withdrawal.account,
                withdrawal.subaccount,
                withdrawal.amount,
                withdrawal.to,
                withdrawal.nonce,
                withdrawal.deadline,
            )
        )
    )
    assert signatures._is_signed_by(withdrawal.account, digest, owner_signature), "bad owner signature"
    assert len(cosigner_signature) == 65, "bad cosigner signature"
    cosigner: address = signatures._recover(digest, slice(cosigner_signature, 0, 65))
    assert self.is_cosigner[cosigner], "bad cosigner signature"
    approver: address = exit_rules._of(withdrawal.account).approver
    if approver != empty(address):
        assert signatures._is_signed_by(approver, digest, approver_signature), "not approved"
    self.nonce_used[withdrawal.account][withdrawal.nonce] = True
    self._pay(
        withdrawal.account,
        withdrawal.subaccount,
        withdrawal.amount,
        withdrawal.to,
        withdrawal.nonce,
        True,
    )


@internal
def _pay(
    account: address, subaccount: uint256, amount: uint256, to: address, id_or_nonce: uint256, instant: bool
):
    before: uint256 = staticcall token.balanceOf(self)
    outflow._take(before, account, amount, instant)
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
    assert staticcall token.balanceOf(self) + amount >= before, "more left than was paid"


@internal
def _set_outflow_limits(limits: outflow.Limits):
    # until now the old ones hold
    outflow._touch(staticcall token.balanceOf(self))
    outflow._set(limits)


@internal
@view
def _check_guardian():
    assert (
        msg.sender == ownable.owner or msg.sender == staticcall exchange.guardian()
    ), "only guardian or governance"


@internal
@view
def _check_recipient(account: address, to: address):
    self._check_payee(to)
    destination: address = exit_rules._of(account).destination
    assert destination == empty(address) or to == destination, "not the destination"


@internal
@view
def _check_payee(to: address):
    assert to != empty(address) and to != self and to != exchange.address, "bad recipient"


@internal
@view
def _stretched_until() -> uint256:
    """
    @return When the last stretch of the queue ends, or ended; 0 if there was none.
    """
    if self.stretched_at == 0:
        return 0
    return self.stretched_at + STRETCH


@internal
@view
def _ready_at(request: Request) -> uint256:
    """
    @return When a request is due. Of the last two stretches, the first that began since it was made held it up, and no other.
    """
    counted_from: uint256 = request.ready_at - withdrawal_delay
    stretched_at: uint256 = self.stretched_at
    if counted_from <= self.stretched_before + STRETCH:
        stretched_at = self.stretched_before
    if counted_from > stretched_at:
        return request.ready_at
    return max(request.ready_at, stretched_at) + STRETCH


@internal
@view
def _digest(struct_hash: bytes32) -> bytes32:
    domain: bytes32 = keccak256(abi_encode(DOMAIN_TYPE, keccak256("Ouro"), keccak256("1"), chain.id, self))
    return keccak256(concat(x"1901", domain, struct_hash))
