# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma optimize codesize
"""
@title Ouro Exchange, the office
@license GNU Affero General Public License v3.0 only
@notice What nobody is in a hurry for: governance, and what one reads. The Desk delegates to it what it does not know itself, and it
        delegates the rest to the immutable ExchangeExit. Its own storage means nothing.
"""

from .interfaces import events
from .modules import accounts
from .modules import custody
from .modules import margin
from .modules import markets
from .modules import orders
from .modules import positions
from .modules import referrers
from .modules import roles
from .modules import sessions
from .modules import slots
from .modules import units

initializes: roles
initializes: markets
initializes: accounts
initializes: orders
initializes: margin[accounts := accounts, markets := markets]
initializes: positions[accounts := accounts, margin := margin]
initializes: sessions[markets := markets, orders := orders]
initializes: referrers[accounts := accounts]
initializes: custody[accounts := accounts, margin := margin, markets := markets]

exports: (
    custody.withdrawable,
    custody.cash,
    markets.insurance,
    markets.oracle,
    accounts.vault,
    accounts.backstop,
    roles.guardian,
    roles.notices.announce,
    roles.notices.withdraw_notice,
    roles.notices.notice_ready_at,
    roles.ownable_2step.owner,
    roles.ownable_2step.pending_owner,
    roles.ownable_2step.transfer_ownership,
    roles.ownable_2step.accept_ownership,
)

MAX_ANSWER: constant(uint256) = 1024

EXIT: public(immutable(address))


@deploy
def __init__(exit: address, settle_window: uint256):
    assert exit.is_contract, "exit has no code"
    EXIT = exit
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
    @notice Lists a market, active from now on. Fractions in ppm, the age in seconds, the cap in lots. With notice, once anything was
            settled: what a new market pays comes out of the same Vault.
    """
    roles._only_owner()
    if markets._last_batch() != 0:
        roles.notices._spend(
            abi_encode(
                market,
                ticker,
                size_decimals,
                tick,
                imf,
                mmf,
                band,
                max_open_interest,
                max_price_age,
                liquidation_floor,
                method_id=method_id(
                    "list_market(uint256,string,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256)"
                ),
            )
        )
    assert market != 0 and market <= slots.MASK_16, "market id not in 1..65535"
    assert markets.params[market] == 0, "already listed"
    assert len(ticker) != 0, "empty ticker"
    assert markets.market_of[keccak256(ticker)] == 0, "ticker is taken"
    assert size_decimals <= 6, "size decimals above 6"
    markets.tickers[market] = ticker
    markets.ticker_hashes[market] = keccak256(ticker)
    markets.market_of[keccak256(ticker)] = market
    markets.indices[market] = 0
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
    @notice Changes the parameters of a listed market, within fixed bounds. What could liquidate or shut in who is in it needs notice:
            more maintenance margin, a higher liquidation floor, a shorter life of prices.
    """
    roles._only_owner()
    p: slots.Params = slots._params(markets.params[market])
    assert p.state != 0, "unknown market"
    assert p.state < markets.SETTLING, "market is settling"
    if (
        convert(mmf, int256) > p.mmf
        or convert(liquidation_floor, int256) > p.liquidation_floor
        or max_price_age < p.max_price_age
    ):
        roles.notices._spend(slice(msg.data, 0, 292))
    if state == markets.ACTIVE and p.state != markets.ACTIVE:
        assert self._has_fresh_price(market, max_price_age), "stale price"
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
    markets._change(market, p)


@external
@nonreentrant
def lower_cap(market: uint256, max_open_interest: uint256):
    """
    @notice Lowers a market's open interest cap, in lots. For the guardian, and for governance.
    """
    assert msg.sender == roles.guardian or msg.sender == roles.ownable.owner, "only guardian or governance"
    p: slots.Params = slots._params(markets.params[market])
    assert p.state != 0, "unknown market"
    assert max_open_interest < convert(p.max_open_interest, uint256), "only lower"
    p.max_open_interest = convert(max_open_interest, int256)
    markets._change(market, p)


@external
@nonreentrant
def set_margin_scale(market: uint256, scale_from: uint256, scale_to: uint256):
    """
    @notice Lets the initial margin of a market grow to 100% while its open interest grows from one bound to the other.
    @param scale_from In units of 10,000 USDC, as `scale_to`, which is 0 to let it be.
    """
    roles._only_owner()
    p: slots.Params = slots._params(markets.params[market])
    assert p.state != 0, "unknown market"
    assert scale_to < 2**20, "bound above 2^20-1"
    assert scale_from < scale_to or (scale_from == 0 and scale_to == 0), "bounds not in order"
    p.scale_from = convert(scale_from, int256)
    p.scale_to = convert(scale_to, int256)
    markets.params[market] = slots._params_word(p)
    log events.MarginScaleSet(market=market, scale_from=scale_from, scale_to=scale_to)


@external
@nonreentrant
def set_referrer_share(share_ppm: uint256):
    """
    @notice Sets which part of a fee goes to whoever the order names as its referrer, at most half.
    """
    roles._only_owner()
    referrers._set_share(share_ppm)


@external
@nonreentrant
def set_fee_tiers(tiers: DynArray[uint256, 8]):
    """
    @notice Publishes the fee schedule: volume of 30 days in USDC 64 | taker fee 16 | maker fee int16 a tier, ppm, by rising volume. What
            a fill pays is up to the operator, within what was signed; who pays more than the schedule says can prove it.
    """
    roles._only_owner()
    last: uint256 = 0
    for i: uint256 in range(len(tiers), bound=8):
        volume: uint256 = tiers[i] >> 32
        assert volume <= slots.MASK_64, "volume above 2^64-1"
        assert volume == 0 if i == 0 else volume > last, "volumes not rising from 0"
        assert (tiers[i] >> 16) & slots.MASK_16 <= 10_000, "taker fee above 1%"
        last = volume
    referrers.tiers = tiers
    log events.FeeTiersSet(tiers=tiers)


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
    """
    @notice Replaces the oracle, with notice: whoever says prices reaches everybody's money.
    """
    roles._only_owner()
    roles.notices._spend(slice(msg.data, 0, 36))
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
def set_backstop(backstop: address):
    """
    @notice Names the Backstop, once. From then on its account 0 pays after the insurance fund, and earns half of what liquidations pay.
    """
    roles._only_owner()
    assert accounts.backstop == empty(address), "backstop is set"
    assert backstop.is_contract, "backstop has no code"
    accounts.backstop = backstop
    log events.BackstopSet(backstop=backstop)


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
    before: slots.Params = slots._params(markets.params[market])
    markets._change(
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
            scale_from=before.scale_from,
            scale_to=before.scale_to,
        ),
    )


@internal
@view
def _has_fresh_price(market: uint256, max_age: uint256) -> bool:
    price: int256 = 0
    fresh: bool = False
    price, fresh = markets._price(market, max_age)
    return fresh


# Cancels, session keys and referrers


@external
@nonreentrant
def cancel_slot(slot: uint256):
    """
    @notice Kills every order in one of the caller's slots that is signed by now, one SETTLE_WINDOW from now.
    """
    orders._cancel_slot(msg.sender, slot)


@external
@nonreentrant
def cancel_all(subaccount: uint256):
    """
    @notice Kills every order of one of the caller's subaccounts that is signed by now, one SETTLE_WINDOW from now.
    """
    accounts._cancel_all(accounts._key(msg.sender, subaccount), subaccount, orders.SETTLE_WINDOW)


@external
@nonreentrant
def register_session_key(
    account: address,
    key: address,
    ids: DynArray[uint256, 4],
    budget: uint256,
    expiry: uint256,
    nonce: uint256,
    signature: Bytes[512],
):
    """
    @notice Lets a key sign orders for an account until `expiry`, in the markets of `ids` (none: in all), up to `budget` micro-USDC
            of cumulative notional. By the account itself, or by anyone with its signature.
    """
    sessions._register(account, key, ids, budget, expiry, nonce, signature)


@external
@nonreentrant
def revoke_session_key(account: address, key: address):
    """
    @notice Ends a session key, one SETTLE_WINDOW from now. By the account or by the key.
    """
    sessions._revoke(account, key)


@external
@nonreentrant
def register_referrer(subaccount: uint256) -> uint256:
    """
    @return The caller's new number.
    """
    return referrers._register(msg.sender, subaccount)


@external
@nonreentrant
def claim_referral(number: uint256):
    """
    @notice Moves what a number has earned to the account that registered it.
    """
    referrers._claim(number)


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
    h: margin.Health = margin._health(accounts._key(owner, subaccount), True)
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
    @return Index of longs and of shorts at the start of the market's hour, when that was, and its funding rate, 1e-8 per hour.
    """
    word: int256 = markets.indices[id]
    hour: int256 = (markets.activity[id] >> 41) & slots.SIGNED_MASK_23
    return (
        word >> 160,
        (word << 96) >> 160,
        convert(hour, uint256) * units.HOUR,
        (word << 240) >> 240,
    )


@external
@view
def margin_scale(id: uint256) -> (uint256, uint256):
    """
    @return The bounds between which open interest scales the initial margin, in units of 10,000 USDC.
    """
    p: slots.Params = slots._params(markets.params[id])
    return convert(p.scale_from, uint256), convert(p.scale_to, uint256)


@external
@view
def fees() -> uint256:
    """
    @return Fees collected and not withdrawn, micro-USDC.
    """
    return markets.takings >> 40


@external
@view
def last_batch() -> uint256:
    """
    @return When a batch last settled something, seconds.
    """
    return markets.takings & slots.MASK_40


@external
@view
def fee_tiers() -> DynArray[uint256, 8]:
    return referrers.tiers


@external
@view
def session_key(account: address, key: address) -> (uint256, uint256, uint256, uint256):
    """
    @return Expiry, when a revocation takes effect (0: none), budget left in micro-USDC, markets packed 16 bits each.
    """
    word: uint256 = sessions.words[convert(account, uint256)][convert(key, uint256)]
    return (
        word >> 216,
        (word >> 176) & slots.MASK_40,
        (word >> 112) & slots.MASK_64,
        (word >> 48) & slots.MASK_64,
    )


@external
@view
def session_nonce(account: address) -> uint256:
    """
    @return The newest nonce: the next one is above it.
    """
    return sessions.nonces[account]


@external
@view
def referrer(number: uint256) -> (address, uint256, uint256):
    """
    @return Whose number it is, his subaccount, and what waits for him in micro-USDC.
    """
    payee: uint256 = referrers.payees[number]
    return accounts._owner_of(payee), payee & slots.MASK_16, referrers.accrued[number]


@external
@view
def referrer_share() -> uint256:
    return referrers.share


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


@external
@payable
@raw_return
def __default__() -> Bytes[MAX_ANSWER]:
    return raw_call(EXIT, msg.data, max_outsize=MAX_ANSWER, is_delegate_call=True)
