# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma optimize codesize
"""
@title Ouro Exchange, the office
@license GNU Affero General Public License v3.0 only
@notice What nobody is in a hurry for: governance, and what one reads. The Desk delegates to it what it does not know itself. Its
        own storage means nothing.
"""

from .interfaces import events
from .modules import accounts
from .modules import custody
from .modules import margin
from .modules import markets
from .modules import orders
from .modules import positions
from .modules import roles
from .modules import slots
from .modules import units

initializes: roles
initializes: markets
initializes: accounts
initializes: orders
initializes: margin[accounts := accounts, markets := markets]
initializes: positions[accounts := accounts, margin := margin]
initializes: custody[accounts := accounts, margin := margin, markets := markets]

exports: (
    custody.withdrawable,
    custody.cash,
    markets.insurance,
    markets.fees,
    markets.oracle,
    accounts.vault,
    roles.guardian,
    roles.ownable_2step.owner,
    roles.ownable_2step.pending_owner,
    roles.ownable_2step.transfer_ownership,
    roles.ownable_2step.accept_ownership,
)


@deploy
def __init__(settle_window: uint256):
    roles.__init__()
    orders.__init__(settle_window)


# Governance


@external
@nonreentrant
def list_market(
    market: uint256,
    ticker: String[16],
    size_decimals: uint256,
    tick: uint256,
    imf: uint256,
    mmf: uint256,
    band: uint256,
    max_open_interest: uint256,
    max_price_age: uint256,
    liquidation_floor: uint256,
):
    """
    @notice Lists a market, active from now on. Fractions in ppm, the age in seconds, the cap in lots.
    """
    roles._only_owner()
    assert market != 0 and market <= slots.MASK_16, "market id not in 1..65535"
    assert markets.params[market] == 0, "already listed"
    assert len(ticker) != 0, "empty ticker"
    assert markets.market_of[keccak256(ticker)] == 0, "ticker is taken"
    assert size_decimals <= 6, "size decimals above 6"
    markets.tickers[market] = ticker
    markets.ticker_hashes[market] = keccak256(ticker)
    markets.market_of[keccak256(ticker)] = market
    markets.indices[market] = slots._indices_word(0, 0, block.timestamp, 0)
    markets.activity[market] = slots._activity_word(0, 0, 0, block.timestamp // units.HOUR, 0)
    log events.MarketListed(
        market=market,
        ticker=ticker,
        size_decimals=size_decimals,
        price_decimals=6 - size_decimals,
        tick=tick,
    )
    self._set_market(
        market, size_decimals, tick, imf, mmf, band, max_open_interest, max_price_age, liquidation_floor, 1
    )


@external
@nonreentrant
def set_market(
    market: uint256,
    tick: uint256,
    imf: uint256,
    mmf: uint256,
    band: uint256,
    max_open_interest: uint256,
    max_price_age: uint256,
    liquidation_floor: uint256,
    state: uint256,
):
    """
    @notice Changes the parameters of a listed market, within fixed bounds.
    """
    roles._only_owner()
    p: slots.Params = slots._params(markets.params[market])
    assert p.state != 0, "unknown market"
    self._set_market(
        market,
        p.size_decimals,
        tick,
        imf,
        mmf,
        band,
        max_open_interest,
        max_price_age,
        liquidation_floor,
        state,
    )


@external
@nonreentrant
def tighten(market: uint256, state: uint256):
    """
    @notice Moves a market one way: active, reduce-only, halted. For the guardian, and for governance.
    """
    assert msg.sender == roles.guardian or msg.sender == roles.ownable.owner, "only guardian or governance"
    p: slots.Params = slots._params(markets.params[market])
    assert p.state != 0, "unknown market"
    assert state > p.state and state <= markets.HALTED, "only towards halted"
    p.state = state
    self._log_market(market, p)


@external
@nonreentrant
def set_operator(operator: address, allowed: bool):
    roles._only_owner()
    roles._set_operator(operator, allowed)


@external
@nonreentrant
def set_guardian(guardian: address):
    roles._only_owner()
    roles._set_guardian(guardian)


@external
@nonreentrant
def set_oracle(oracle: address):
    roles._only_owner()
    markets._set_oracle(oracle)


@external
@nonreentrant
def set_vault(vault: address):
    """
    @notice Names the Vault, once: it is deployed after the Exchange that it refers to.
    """
    roles._only_owner()
    assert accounts.vault == empty(address), "vault is set"
    assert vault.is_contract, "vault has no code"
    accounts.vault = vault


@external
@nonreentrant
def withdraw_fees(owner: address, subaccount: uint256, amount: uint256):
    """
    @notice Moves collected fees to an account, from where they leave like any other cash.
    """
    roles._only_owner()
    custody._withdraw_fees(owner, subaccount, amount)


@internal
def _set_market(
    market: uint256,
    size_decimals: uint256,
    tick: uint256,
    imf: uint256,
    mmf: uint256,
    band: uint256,
    max_open_interest: uint256,
    max_price_age: uint256,
    liquidation_floor: uint256,
    state: uint256,
):
    assert tick != 0 and tick <= slots.MASK_32, "tick not in 1..2^32-1"
    assert imf >= 10_000 and imf <= 1_000_000, "initial margin not in 1%..100%"
    assert mmf >= 5_000 and mmf < imf, "maintenance margin not in 0.5%..initial"
    assert band >= 1_000 and band <= 500_000, "band not in 0.1%..50%"
    assert max_open_interest <= convert(units.MAX_SIZE, uint256), "open interest cap above 2^46"
    assert max_price_age >= 1 and max_price_age <= 86_400, "price age not in 1 s..1 day"
    assert liquidation_floor <= mmf, "liquidation floor above maintenance margin"
    assert state >= 1 and state <= markets.HALTED, "state not in 1..3"
    self._log_market(
        market,
        slots.Params(
            imf=convert(imf, int256),
            mmf=convert(mmf, int256),
            band=convert(band, int256),
            tick=tick,
            max_open_interest=convert(max_open_interest, int256),
            max_price_age=max_price_age,
            liquidation_floor=convert(liquidation_floor, int256),
            state=state,
            size_decimals=size_decimals,
        ),
    )


@internal
def _log_market(market: uint256, p: slots.Params):
    markets.params[market] = slots._params_word(p)
    log events.MarketChanged(
        market=market,
        imf=convert(p.imf, uint256),
        mmf=convert(p.mmf, uint256),
        band=convert(p.band, uint256),
        tick=p.tick,
        max_open_interest=convert(p.max_open_interest, uint256),
        max_price_age=p.max_price_age,
        liquidation_floor=convert(p.liquidation_floor, uint256),
        state=p.state,
    )


# Views


@external
@view
def account(owner: address, subaccount: uint256) -> uint256:
    """
    @return The account's word as laid out in docs/protocol.md.
    """
    return slots._bits(accounts.words[accounts._key(owner, subaccount)])


@external
@view
def position(owner: address, subaccount: uint256, market: uint256) -> uint256:
    """
    @return The position's word as laid out in docs/protocol.md.
    """
    assert market <= slots.MASK_16, "market above 65535"
    return slots._bits(accounts.positions[(accounts._key(owner, subaccount) << 16) | market])


@external
@view
def slot(signer: address, number: uint256) -> uint256:
    """
    @return The word of one order slot of a signing key.
    """
    assert number <= slots.MASK_16, "slot above 65535"
    return orders.slot_words[(convert(signer, uint256) << 16) | number]


@external
@view
def margin_of(owner: address, subaccount: uint256) -> (int256, uint256, uint256, bool):
    """
    @return Equity, initial and maintenance margin, all scaled by 2^32 micro-USDC, and whether a leg's price is stale.
    """
    h: margin.Health = margin._health(accounts._key(owner, subaccount))
    return (
        h.equity,
        convert(h.initial * units.SCALE, uint256),
        convert(h.maintenance * units.SCALE, uint256),
        h.stale,
    )


@external
@view
def market(
    id: uint256,
) -> (String[16], uint256, uint256, uint256, uint256, uint256, uint256, uint256, uint256, uint256, uint256):
    """
    @return Ticker, size decimals, price decimals, tick, initial and maintenance margin and band in ppm, open interest cap,
            price age, liquidation floor in ppm, state.
    """
    p: slots.Params = slots._params(markets.params[id])
    assert p.state != 0, "unknown market"
    return (
        markets.tickers[id],
        p.size_decimals,
        6 - p.size_decimals,
        p.tick,
        convert(p.imf, uint256),
        convert(p.mmf, uint256),
        convert(p.band, uint256),
        convert(p.max_open_interest, uint256),
        p.max_price_age,
        convert(p.liquidation_floor, uint256),
        p.state,
    )


@external
@view
def market_indices(id: uint256) -> (int256, int256, uint256, int256):
    """
    @return Index of longs and of shorts as stored, when they were, and the funding rate, 1e-8 per hour.
    """
    word: int256 = markets.indices[id]
    return (
        word >> 160,
        (word << 96) >> 160,
        convert((word >> 24) & slots.SIGNED_MASK_40, uint256),
        (word << 232) >> 232,
    )


@external
@view
def open_interest(id: uint256) -> uint256:
    """
    @return Lots that are long, which are as many as are short.
    """
    return convert(markets.activity[id] >> 208, uint256)


@external
@view
def hash_order(terms: uint256, amounts: uint256) -> bytes32:
    """
    @return The EIP-712 hash of an order in packed form: its id.
    """
    return orders._hash(
        terms, amounts, markets.ticker_hashes[(terms >> 64) & slots.MASK_16], orders._domain_on(chain.id)
    )
