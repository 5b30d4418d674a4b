# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Session keys
@license GNU Affero General Public License v3.0 only
@notice Keys that may sign orders for an account until they expire, in some markets, up to a cumulative notional. They can do nothing
        else. A key is registered once per account, so that nothing signed before can come alive again.
"""

from ..interfaces import events
from . import markets
from . import orders
from . import reasons
from . import slots
from . import units

uses: markets
uses: orders

SESSION_KEY_TYPE: constant(bytes32) = keccak256(
    "SessionKey(address account,address key,string[] markets,uint64 budget,uint32 expiry,uint64 nonce)"
)
VALID: constant(bytes32) = 0x1626ba7e00000000000000000000000000000000000000000000000000000000
WALLET_GAS: constant(uint256) = 200_000
MAX_MARKETS: constant(uint256) = 4

# by owner and key: expiry 40 | time its revocation takes effect 40 | budget left 64 | 4 markets of 16 | zero 48
words: HashMap[uint256, HashMap[uint256, uint256]]
nonces: HashMap[address, uint256]  # the newest of each owner


@internal
@view
def _fault(owner: uint256, signer: uint256, market: uint256) -> uint256:
    """
    @return Why the key may not sign for the owner in this market, or 0.
    """
    word: uint256 = self.words[owner][signer]
    if word == 0 or signer == 0:
        return reasons.BAD_SIGNATURE
    if block.timestamp > word >> 216:
        return reasons.KEY_EXPIRED
    revoked_at: uint256 = (word >> 176) & slots.MASK_40
    if revoked_at != 0 and block.timestamp >= revoked_at:
        return reasons.KEY_REVOKED
    scope: uint256 = (word >> 48) & slots.MASK_64
    if scope == 0:
        return 0
    for i: uint256 in range(MAX_MARKETS):
        if (scope >> (16 * i)) & slots.MASK_16 == market:
            return 0
    return reasons.KEY_MARKET


@internal
def _spend(owner: uint256, signer: uint256, notional: uint256) -> uint256:
    """
    @dev Takes a fill's notional, micro-USDC, from the key's budget.
    @return Why not, or 0.
    """
    word: uint256 = self.words[owner][signer]
    if notional > (word >> 112) & slots.MASK_64:
        return reasons.KEY_BUDGET
    self.words[owner][signer] = word - (notional << 112)
    return 0


@internal
def _register(
    account: address,
    key: address,
    ids: DynArray[uint256, MAX_MARKETS],
    budget: uint256,
    expiry: uint256,
    nonce: uint256,
    signature: Bytes[512],
):
    assert key != empty(address) and key != account, "bad key"
    assert budget <= slots.MASK_64, "budget above 2^64-1"
    assert expiry > block.timestamp, "expired"
    assert expiry <= block.timestamp + units.MAX_KEY_LIFE, "expiry more than 365 days ahead"
    assert nonce > self.nonces[account] and nonce <= slots.MASK_64, "nonce not above the last"
    owner: uint256 = convert(account, uint256)
    signer: uint256 = convert(key, uint256)
    assert self.words[owner][signer] == 0, "key is known"
    scope: uint256 = 0
    tickers: bytes32[MAX_MARKETS] = empty(bytes32[MAX_MARKETS])
    count: uint256 = 0
    for id: uint256 in ids:
        assert id <= slots.MASK_16 and markets.params[id] != 0, "unknown market"
        scope = (scope << 16) | id
        tickers[count] = markets.ticker_hashes[id]
        count += 1
    if msg.sender != account:
        digest: bytes32 = self._digest(account, key, tickers, count, budget, expiry, nonce)
        assert self._is_signed(account, digest, signature), "bad signature"
    self.nonces[account] = nonce
    self.words[owner][signer] = (expiry << 216) | (budget << 112) | (scope << 48)
    log events.SessionKeyRegistered(
        account=account, key=key, markets=scope, budget=budget, expiry=expiry, nonce=nonce
    )


@internal
def _revoke(account: address, key: address):
    assert msg.sender == account or msg.sender == key, "only the owner or the key"
    owner: uint256 = convert(account, uint256)
    signer: uint256 = convert(key, uint256)
    word: uint256 = self.words[owner][signer]
    assert word != 0, "unknown key"
    assert (word >> 176) & slots.MASK_40 == 0, "already revoked"
    effective_at: uint256 = block.timestamp + orders.SETTLE_WINDOW
    self.words[owner][signer] = word | (effective_at << 176)
    log events.SessionKeyRevoked(account=account, key=key, effective_at=effective_at)


@internal
@view
def _digest(
    account: address,
    key: address,
    tickers: bytes32[MAX_MARKETS],
    count: uint256,
    budget: uint256,
    expiry: uint256,
    nonce: uint256,
) -> bytes32:
    listed: bytes32 = keccak256(b"")
    if count != 0:
        listed = keccak256(slice(abi_encode(tickers), 0, 32 * count))
    return keccak256(
        concat(
            x"1901",
            # not the one that is kept: it is of the contract whose code this is
            orders._domain_on(chain.id),
            keccak256(abi_encode(SESSION_KEY_TYPE, account, key, listed, budget, expiry, nonce)),
        )
    )


@internal
@view
def _is_signed(account: address, digest: bytes32, signature: Bytes[512]) -> bool:
    """
    @dev The key of an account first, so that accounts with code (EIP-7702) work. A contract wallet is asked once, with so much gas
         that it can check a signature, and no more of its answer is read than one word.
    """
    if len(signature) == 65:
        r: uint256 = convert(slice(signature, 0, 32), uint256)
        s: uint256 = convert(slice(signature, 32, 32), uint256)
        v: uint256 = convert(slice(signature, 64, 1), uint256)
        if v == 27 or v == 28:
            signer: uint256 = orders._signer(digest, r, s | ((v - 27) << 255))
            if signer == convert(account, uint256) and signer != 0 and s >> 255 == 0:
                return True
    if not account.is_contract:
        return False
    assert msg.gas > WALLET_GAS + WALLET_GAS // 32, "not enough gas"
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        account,
        abi_encode(digest, signature, method_id=method_id("isValidSignature(bytes32,bytes)")),
        max_outsize=32,
        gas=WALLET_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )
    return success and len(answer) == 32 and convert(answer, bytes32) == VALID
