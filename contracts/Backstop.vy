# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Ouro Backstop
@license GNU Affero General Public License v3.0 only
@notice Pays for holes after the insurance fund, out of cash that anyone may put in for shares (ERC-4626, 18 decimals). All it has is
        the cash of its account 0 on the Exchange, which the Exchange takes from and adds to by itself; there is no position, no
        order and no owner here. Income streams in over eight hours, a loss counts at once. Shares are paid out on request after
        three days, at the price of that moment.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC4626
from snekmate.auth import ownable
from snekmate.tokens import erc20

from .interfaces import ICash
from .interfaces import IVault

implements: IERC20
implements: IERC4626
initializes: ownable
initializes: erc20[ownable := ownable]

exports: (
    erc20.name,
    erc20.symbol,
    erc20.decimals,
    erc20.allowance,
    erc20.approve,
    erc20.permit,
    erc20.nonces,
    erc20.DOMAIN_SEPARATOR,
    erc20.eip712Domain,
)


event RedeemRequested:
    id: indexed(uint256)
    owner: indexed(address)
    shares: uint256
    ready_at: uint256
    lapses_at: uint256


event RedeemReturned:
    id: indexed(uint256)
    owner: indexed(address)
    shares: uint256


event IncomeBooked:
    amount: uint256
    locked: uint256
    ends_at: uint256


event LossBooked:
    amount: uint256
    cash: uint256


event Ruined:
    series: indexed(uint256)
    cash: uint256


event Revived:
    series: indexed(uint256)
    cash: uint256


event WrittenOff:
    series: indexed(uint256)
    shares: uint256
    cash: uint256


struct Request:
    id: uint256
    shares: uint256
    ready_at: uint256


struct Stream:
    amount: uint256  # micro-USDC that had not streamed in at `since`
    since: uint256  # scaled seconds
    ends: uint256  # scaled seconds


struct Books:
    cash: uint256  # micro-USDC
    locked: uint256  # of it, income that has not streamed in
    ends: uint256  # when that is done, scaled seconds
    shares: uint256


COOLDOWN: public(constant(uint256)) = 3 * 86_400
REDEEM_WINDOW: public(constant(uint256)) = 2 * 86_400
STREAM_PERIOD: public(constant(uint256)) = 8 * 3_600
WRITE_OFF_DELAY: public(constant(uint256)) = 3 * 86_400
MAX_REQUESTS: constant(uint256) = 8  # of one owner at a time

SCALE_BITS: constant(uint256) = 32
# What nobody owns, beside the shares: whoever would raise the price to round a later deposit down gives away that much more
VIRTUAL_SHARES: constant(uint256) = 10**12
VIRTUAL_ASSETS: constant(uint256) = 1
# A share begins at 10**-12 micro-USDC; ruined are all with less than this together, and a millionth of that each
RUIN_CASH: constant(uint256) = 10**6
RUIN_PRICE: constant(uint256) = VIRTUAL_SHARES * 10**6
MAX_CASH: constant(uint256) = 2**78  # of an account of the Exchange
MAX_SHARES: constant(uint256) = 2**160

asset: public(immutable(address))
vault: public(immutable(IVault))
exchange: public(immutable(ICash))

series: public(uint256)
series_of: HashMap[address, uint256]  # of an owner's shares and requests; those of an earlier series are void
void_shares: uint256  # that the token still counts
booked_cash: uint256
stream: Stream
ruined_at: public(uint256)  # when ruin was booked; 0 = it is not ruined
last_id: uint256
requests: HashMap[address, DynArray[Request, MAX_REQUESTS]]  # the oldest first


@deploy
def __init__(vault_: address):
    """
    @param vault_ The Vault of the Exchange whose holes are paid. The Exchange must name this contract before anyone can deposit.
    """
    vault = IVault(vault_)
    asset = staticcall vault.token()
    exchange = ICash(staticcall vault.exchange())
    ownable.__init__()
    erc20.__init__("Ouro Backstop", "oBACK", 18, "Ouro Backstop", "1")
    # the token's own privileges are not exported, and nobody has them
    erc20.is_minter[msg.sender] = False
    ownable._transfer_ownership(empty(address))


# Shares as a token


@external
@view
def totalSupply() -> uint256:
    return self._supply()


@external
@view
def balanceOf(owner: address) -> uint256:
    """
    @return Shares that the owner can dispose of; those that wait for redemption are held by this contract.
    """
    if self.series_of[owner] != self.series:
        return 0
    return erc20.balanceOf[owner]


@external
def transfer(to: address, amount: uint256) -> bool:
    self._transfer(msg.sender, to, amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    erc20._spend_allowance(owner, msg.sender, amount)
    self._transfer(owner, to, amount)
    return True


# What shares are worth


@external
@view
def totalAssets() -> uint256:
    """
    @return Cash of the Backstop's account less income that has not streamed in, micro-USDC.
    """
    books: Books = self._books()
    return books.cash - books.locked


@external
@view
def locked_income() -> (uint256, uint256):
    """
    @return Income that has not streamed in, micro-USDC, and when it has.
    """
    books: Books = self._books()
    return books.locked, self._seconds(books.ends)


@external
@view
def convertToShares(assets: uint256) -> uint256:
    books: Books = self._books()
    return self._shares_for(assets, books.cash - books.locked, books.shares)


@external
@view
def convertToAssets(shares: uint256) -> uint256:
    return self._worth(shares, self._books())


@external
def sync():
    """
    @notice Books what came in or was taken since the last time. Every deposit and redemption does so, too.
    """
    self._sync()


@external
def sweep():
    """
    @notice Puts tokens that were sent to this contract where its cash is. They are income.
    """
    amount: uint256 = staticcall IERC20(asset).balanceOf(self)
    assert amount != 0, "nothing to sweep"
    self._put(amount)
    self._sync()


# Joining: at the price of all cash, locked income included, so that nobody buys into what others earned


@external
@view
def maxDeposit(receiver: address) -> uint256:
    return self._max_deposit(receiver, self._books())


@external
@view
def previewDeposit(assets: uint256) -> uint256:
    books: Books = self._books()
    return self._shares_for(assets, books.cash, books.shares)


@external
def deposit(assets: uint256, receiver: address) -> uint256:
    """
    @notice Pulls `assets` from the caller for shares.
    """
    self._pull(assets)
    books: Books = self._sync()
    shares: uint256 = self._shares_for(assets, books.cash, books.shares)
    self._deposit(receiver, assets, shares, books)
    return shares


@external
@view
def maxMint(receiver: address) -> uint256:
    books: Books = self._books()
    return self._shares_for(self._max_deposit(receiver, books), books.cash, books.shares)


@external
@view
def previewMint(shares: uint256) -> uint256:
    return self._cost(shares, self._books())


@external
def mint(shares: uint256, receiver: address) -> uint256:
    """
    @notice Pulls from the caller what `shares` cost.
    """
    assets: uint256 = self._cost(shares, self._sync())
    self._pull(assets)
    # what the token may have called while it moved does not change the price unseen
    books: Books = self._sync()
    assert self._cost(shares, books) == assets, "price moved"
    self._deposit(receiver, assets, shares, books)
    return assets


# Leaving: a request, three days, then two days to take the money at the price of all but locked income


@external
def request_redeem(shares: uint256) -> uint256:
    """
    @notice Sets shares of the caller aside to be redeemed. Until that is done they earn and lose as all others. A request that is not
            done in time lapses: its shares are as before.
    """
    assert shares != 0, "no shares"
    self._enter(msg.sender)
    self._return_lapsed(msg.sender)
    assert len(self.requests[msg.sender]) < MAX_REQUESTS, "too many requests"
    erc20._transfer(msg.sender, self, shares)
    self.last_id += 1
    request: Request = Request(id=self.last_id, shares=shares, ready_at=block.timestamp + COOLDOWN)
    self.requests[msg.sender].append(request)
    log RedeemRequested(
        id=request.id,
        owner=msg.sender,
        shares=shares,
        ready_at=request.ready_at,
        lapses_at=request.ready_at + REDEEM_WINDOW,
    )
    return request.id


@external
def cancel_redeem(id: uint256):
    """
    @notice Takes a request of the caller back.
    """
    self._enter(msg.sender)
    kept: DynArray[Request, MAX_REQUESTS] = []
    found: bool = False
    for request: Request in self.requests[msg.sender]:
        if request.id == id:
            found = True
            self._return(msg.sender, request)
        else:
            kept.append(request)
    assert found, "not your request"
    self.requests[msg.sender] = kept


@external
def release(owner: address):
    """
    @notice Gives an owner the shares of lapsed requests back. Anyone may call.
    """
    self._enter(owner)
    self._return_lapsed(owner)


@external
@view
def redeem_requests(owner: address) -> DynArray[Request, MAX_REQUESTS]:
    """
    @return Requests of an owner, the oldest first, lapsed ones included.
    """
    return self._requests_of(owner)


@external
@view
def maxRedeem(owner: address) -> uint256:
    """
    @return Shares whose redemption is due, as far as the Vault's outflow caps let it be paid now.
    """
    books: Books = self._books()
    due: uint256 = self._due(owner)
    assets: uint256 = self._worth(due, books)
    room: uint256 = self._room()
    if assets == 0:
        return 0
    if assets <= room:
        return due
    return self._shares_for(room, books.cash - books.locked, books.shares)


@external
@view
def previewRedeem(shares: uint256) -> uint256:
    return self._worth(shares, self._books())


@external
def redeem(shares: uint256, receiver: address, owner: address) -> uint256:
    """
    @notice Pays shares whose redemption is due, those of the oldest request first.
    """
    books: Books = self._sync()
    assets: uint256 = self._worth(shares, books)
    self._redeem(receiver, owner, assets, shares, books)
    return assets


@external
@view
def maxWithdraw(owner: address) -> uint256:
    """
    @return What the owner could be paid now, micro-USDC.
    """
    return min(self._worth(self._due(owner), self._books()), self._room())


@external
@view
def previewWithdraw(assets: uint256) -> uint256:
    return self._price_of(assets, self._books())


@external
def withdraw(assets: uint256, receiver: address, owner: address) -> uint256:
    """
    @notice Pays `assets` for shares whose redemption is due.
    """
    books: Books = self._sync()
    shares: uint256 = self._price_of(assets, books)
    self._redeem(receiver, owner, assets, shares, books)
    return shares


# When everything is lost


@external
def write_off():
    """
    @notice Makes the shares of a Backstop void that has been ruined for three days, so that new ones can be had. What little cash it
            has left belongs to nobody then, and pays for holes. Anyone may call.
    """
    books: Books = self._sync()
    assert self.ruined_at != 0, "not ruined"
    assert block.timestamp >= self.ruined_at + WRITE_OFF_DELAY, "not due yet"
    log WrittenOff(series=self.series, shares=books.shares, cash=books.cash)
    self.series += 1
    self.void_shares = erc20.totalSupply
    self.ruined_at = 0
    self._enter(self)


# Books


@internal
@view
def _supply() -> uint256:
    return erc20.totalSupply - self.void_shares


@internal
@view
def _books() -> Books:
    """
    @return Cash, locked income and shares as a sync would leave them. What came in is locked from now on; a loss takes locked income
            first.
    """
    cash: uint256 = convert(max(0, staticcall exchange.cash(self, 0)), uint256)
    books: Books = Books(cash=cash, locked=0, ends=self.stream.ends, shares=self._supply())
    at: uint256 = block.timestamp << SCALE_BITS
    remaining: uint256 = max(books.ends, at) - at
    if remaining != 0:
        period: uint256 = books.ends - self.stream.since
        books.locked = (self.stream.amount * remaining + period - 1) // period
    before: uint256 = self.booked_cash
    if cash > before:
        income: uint256 = cash - before
        locked: uint256 = books.locked + income
        # by weight: what comes in prolongs the stream by no more than its part in it
        weight: uint256 = books.locked * remaining + income * (STREAM_PERIOD << SCALE_BITS)
        books.ends = at + (weight + locked - 1) // locked
        books.locked = locked
    elif cash < before:
        books.locked -= min(books.locked, before - cash)
    return books


@internal
def _sync() -> Books:
    books: Books = self._books()
    before: uint256 = self.booked_cash
    if books.cash != before:
        self._store(books)
        if books.cash > before:
            log IncomeBooked(
                amount=books.cash - before, locked=books.locked, ends_at=self._seconds(books.ends)
            )
        else:
            log LossBooked(amount=before - books.cash, cash=books.cash)
    if self._is_ruined(books) != (self.ruined_at != 0):
        if self.ruined_at == 0:
            self.ruined_at = block.timestamp
            log Ruined(series=self.series, cash=books.cash)
        else:
            self.ruined_at = 0
            log Revived(series=self.series, cash=books.cash)
    return books


@internal
def _store(books: Books):
    self.booked_cash = books.cash
    self.stream = Stream(amount=books.locked, since=block.timestamp << SCALE_BITS, ends=books.ends)


@internal
@pure
def _is_ruined(books: Books) -> bool:
    return books.shares != 0 and books.cash < RUIN_CASH and books.cash * RUIN_PRICE <= books.shares


@internal
@pure
def _seconds(scaled: uint256) -> uint256:
    return (scaled + (1 << SCALE_BITS) - 1) >> SCALE_BITS


@internal
@pure
def _shares_for(assets: uint256, total: uint256, supply: uint256) -> uint256:
    return assets * (supply + VIRTUAL_SHARES) // (total + VIRTUAL_ASSETS)


@internal
@pure
def _cost(shares: uint256, books: Books) -> uint256:
    """
    @return What whoever joins pays for shares, rounded up.
    """
    supply: uint256 = books.shares + VIRTUAL_SHARES
    return (shares * (books.cash + VIRTUAL_ASSETS) + supply - 1) // supply


@internal
@pure
def _worth(shares: uint256, books: Books) -> uint256:
    """
    @return What whoever leaves gets for shares, rounded down.
    """
    return shares * (books.cash - books.locked + VIRTUAL_ASSETS) // (books.shares + VIRTUAL_SHARES)


@internal
@pure
def _price_of(assets: uint256, books: Books) -> uint256:
    """
    @return Shares that whoever leaves gives for assets, rounded up.
    """
    total: uint256 = books.cash - books.locked + VIRTUAL_ASSETS
    return (assets * (books.shares + VIRTUAL_SHARES) + total - 1) // total


# Joining and leaving


@internal
@view
def _max_deposit(receiver: address, books: Books) -> uint256:
    if receiver == empty(address) or receiver == self:
        return 0
    if staticcall exchange.backstop() != self or self._is_ruined(books):
        return 0
    by_shares: uint256 = (MAX_SHARES - books.shares) * (books.cash + VIRTUAL_ASSETS) // (
        books.shares + VIRTUAL_SHARES
    )
    return min(MAX_CASH - 1 - books.cash, by_shares)


@internal
def _pull(assets: uint256):
    assert extcall IERC20(asset).transferFrom(
        msg.sender, self, assets, default_return_value=True
    ), "transfer failed"


@internal
def _put(assets: uint256):
    """
    @notice Moves tokens of this contract to the Vault, all of which must arrive.
    """
    before: int256 = staticcall exchange.cash(self, 0)
    assert extcall IERC20(asset).approve(vault.address, assets, default_return_value=True), "approve failed"
    extcall vault.deposit(self, 0, assets)
    assert (
        staticcall exchange.cash(self, 0) == before + convert(assets, int256)
    ), "cash did not rise by the deposit"


@internal
def _deposit(receiver: address, assets: uint256, shares: uint256, books: Books):
    assert receiver != empty(address) and receiver != self, "bad receiver"
    assert staticcall exchange.backstop() == self, "not the backstop"
    assert not self._is_ruined(books), "ruined"
    assert shares != 0, "no shares"
    assert assets <= self._max_deposit(receiver, books), "deposit limit"
    self._put(assets)
    after: Books = books
    after.cash += assets
    # it pays for its part of what streams in
    after.locked += assets * books.locked // (books.cash + VIRTUAL_ASSETS)
    self._store(after)
    self._enter(receiver)
    erc20._mint(receiver, shares)
    log IERC4626.Deposit(sender=msg.sender, owner=receiver, assets=assets, shares=shares)


@internal
def _redeem(receiver: address, owner: address, assets: uint256, shares: uint256, books: Books):
    assert receiver != self, "bad receiver"
    assert assets != 0, "nothing to pay"
    if msg.sender != owner:
        erc20._spend_allowance(owner, msg.sender, shares)
    self._enter(owner)
    kept: DynArray[Request, MAX_REQUESTS] = []
    left: uint256 = shares
    for request: Request in self.requests[owner]:
        rest: Request = request
        if self._is_due(request):
            rest.shares -= min(rest.shares, left)
            left -= request.shares - rest.shares
        if rest.shares != 0:
            kept.append(rest)
    assert left == 0, "more than is due"
    self.requests[owner] = kept
    erc20._burn(self, shares)
    self.booked_cash = books.cash - assets
    log IERC4626.Withdraw(sender=msg.sender, receiver=receiver, owner=owner, assets=assets, shares=shares)
    extcall vault.withdraw_backstop(assets, receiver)


@internal
@view
def _room() -> uint256:
    return (staticcall vault.outflow_room())[0]


@internal
@view
def _is_due(request: Request) -> bool:
    return block.timestamp >= request.ready_at and not self._has_lapsed(request)


@internal
@view
def _has_lapsed(request: Request) -> bool:
    return block.timestamp >= request.ready_at + REDEEM_WINDOW


@internal
@view
def _requests_of(owner: address) -> DynArray[Request, MAX_REQUESTS]:
    if self.series_of[owner] != self.series:
        return []
    return self.requests[owner]


@internal
@view
def _due(owner: address) -> uint256:
    shares: uint256 = 0
    waiting: DynArray[Request, MAX_REQUESTS] = self._requests_of(owner)
    for request: Request in waiting:
        if self._is_due(request):
            shares += request.shares
    return shares


@internal
def _return_lapsed(owner: address):
    kept: DynArray[Request, MAX_REQUESTS] = []
    for request: Request in self.requests[owner]:
        if self._has_lapsed(request):
            self._return(owner, request)
        else:
            kept.append(request)
    self.requests[owner] = kept


@internal
def _return(owner: address, request: Request):
    erc20._transfer(self, owner, request.shares)
    log RedeemReturned(id=request.id, owner=owner, shares=request.shares)


# Shares


@internal
def _transfer(owner: address, to: address, amount: uint256):
    # would be taken for shares that wait for redemption
    assert to != self, "bad receiver"
    self._enter(owner)
    self._enter(to)
    erc20._transfer(owner, to, amount)


@internal
def _enter(owner: address):
    """
    @notice Clears what an owner has of an earlier series. Before his shares or requests change.
    """
    if self.series_of[owner] == self.series:
        return
    void: uint256 = erc20.balanceOf[owner]
    if void != 0:
        erc20._burn(owner, void)
        self.void_shares -= void
    self.requests[owner] = []
    self.series_of[owner] = self.series
