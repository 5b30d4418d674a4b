# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Pushed oracle
@license GNU Affero General Public License v3.0 only
@notice Prices signed by one key and pushed by anyone. An oracle of its own for local use, and a source of the OracleRouter.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IOracle
from .interfaces import IPriceSource
from .modules import notices

implements: IOracle
implements: IPriceSource
initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: notices[ownable := ownable]

exports: (
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    notices.announce,
    notices.withdraw_notice,
    notices.notice_ready_at,
)


event PricePushed:
    market: indexed(uint256)
    price: uint256
    published_at: uint256


event SignerSet:
    signer: indexed(address)


struct Update:
    market: uint256
    price: uint256
    published_at: uint256
    r: uint256
    vs: uint256


DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
PRICE_TYPE: constant(bytes32) = keccak256("Price(uint16 market,uint48 price,uint40 publishedAt)")
# half the order of secp256k1: the highest canonical s
HIGH_S: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168
MAX_AHEAD: constant(uint256) = 10
MAX_PRICE: constant(uint256) = 2**40
MASK_40: constant(uint256) = 2**40 - 1

signer: public(address)
prices: HashMap[uint256, uint256]  # price << 40 | time of publication, seconds


@deploy
def __init__(signer_: address):
    ownable.__init__()
    ownable_2step.__init__()
    self._set_signer(signer_)


@external
def push(updates: DynArray[Update, 16]):
    """
    @notice Stores signed prices. One that is not newer than what is stored changes nothing, so that pushers may race.
    """
    domain: bytes32 = keccak256(
        abi_encode(DOMAIN_TYPE, keccak256("Ouro Oracle"), keccak256("1"), chain.id, self)
    )
    for u: Update in updates:
        assert u.market != 0 and u.market < 2**16, "market id not in 1..65535"
        assert u.price != 0 and u.price <= MAX_PRICE, "price not in 1..2^40"
        assert u.published_at <= block.timestamp + MAX_AHEAD, "published in the future"
        digest: bytes32 = keccak256(
            concat(
                x"1901",
                domain,
                keccak256(abi_encode(PRICE_TYPE, u.market, u.price, u.published_at)),
            )
        )
        s: uint256 = u.vs & (2**255 - 1)
        assert s <= HIGH_S, "bad signature"
        assert ecrecover(digest, (u.vs >> 255) + 27, u.r, s) == self.signer, "bad signature"
        if u.published_at > self.prices[u.market] & MASK_40:
            self.prices[u.market] = (u.price << 40) | u.published_at
            log PricePushed(market=u.market, price=u.price, published_at=u.published_at)


@external
@view
def price(market: uint256) -> (uint256, uint256):
    """
    @return Price in micro-USDC per lot (0 = none), and the time it was published, in seconds.
    """
    return self._price(market)


@external
@view
def read(feed: bytes32, size_decimals: uint256) -> (uint256, uint256):
    """
    @param feed The market's id: its prices are signed per lot, so that the size decimals are the signer's business.
    """
    return self._price(convert(feed, uint256))


@external
def set_signer(signer_: address):
    """
    @notice Replaces the key whose prices count, with notice.
    """
    notices._check_governance()
    notices._spend(abi_encode(signer_, method_id=method_id("set_signer(address)")))
    self._set_signer(signer_)


@internal
@view
def _price(market: uint256) -> (uint256, uint256):
    word: uint256 = self.prices[market]
    return word >> 40, word & MASK_40


@internal
def _set_signer(signer_: address):
    assert signer_ != empty(address), "no signer"
    self.signer = signer_
    log SignerSet(signer=signer_)
