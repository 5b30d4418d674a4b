# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Oracle router
@license GNU Affero General Public License v3.0 only
@notice One index price out of up to three sources: the median of those that are fresh and agree, or none. A source that fails
        in whatever way is one without a price. Governance names the sources, three days after the deployment with a notice;
        the guardian may silence one.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IOracle
from .modules import notices
from .modules import units

implements: IOracle
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


struct Source:
    adapter: address
    feed: bytes32
    max_age: uint256


struct Reading:
    price: uint256
    published_at: uint256


# one market, unpacked
struct Rule:
    size_decimals: uint256
    quorum: uint256
    max_deviation: uint256
    count: uint256
    enabled: uint256  # bit per source


struct StoredSource:
    word: uint256  # max age << 160 | adapter
    feed: bytes32


event SourcesSet:
    market: indexed(uint256)
    size_decimals: uint256
    quorum: uint256
    max_deviation: uint256
    sources: DynArray[Source, MAX_SOURCES]


event SourceDisabled:
    market: indexed(uint256)
    index: uint256


event SourceEnabled:
    market: indexed(uint256)
    index: uint256


event GuardianSet:
    guardian: indexed(address)


MAX_SOURCES: constant(uint256) = 3
PPM: constant(uint256) = 1_000_000
LEAST_AGE: constant(uint256) = 5
MOST_AGE: constant(uint256) = 90_000  # the slowest heartbeat of a feed worth having is a day
LEAST_DEVIATION: constant(uint256) = 1_000
MOST_DEVIATION: constant(uint256) = 100_000
LEAST_GRACE: constant(uint256) = 300
MOST_GRACE: constant(uint256) = 86_400

# Each source, and the sequencer feed, gets exactly this much gas or nothing is answered at all.
SOURCE_GAS: constant(uint256) = 50_000
SEQUENCER_GAS: constant(uint256) = 35_000
# what a cold call costs, with room for what lies between the check and the call
CALL_GAS: constant(uint256) = 4_000
NEVER: constant(uint256) = max_value(uint256)
# how long a new router may be set up: later, a new market's price reaches everybody's money as an old one's does
SET_UP: constant(uint256) = 3 * 86_400

SEQUENCER_FEED: public(immutable(address))  # Chainlink's uptime feed of an L2, empty where there is none
GRACE: public(immutable(uint256))  # seconds without a price after the sequencer came back
NOTICE_FROM: public(immutable(uint256))  # from when on first sources need a notice, too

guardian: public(address)
rules: HashMap[
    uint256, uint256
]  # by market: enabled 8 | count 8 | max deviation 32 | quorum 8 | size decimals 8
sources: HashMap[uint256, StoredSource[MAX_SOURCES]]


@deploy
def __init__(guardian_: address, sequencer_feed: address, grace: uint256):
    ownable.__init__()
    ownable_2step.__init__()
    if sequencer_feed == empty(address):
        assert grace == 0, "grace without a sequencer"
    else:
        assert sequencer_feed.is_contract, "sequencer feed has no code"
        assert grace >= LEAST_GRACE and grace <= MOST_GRACE, "grace not in 300..86400"
    SEQUENCER_FEED = sequencer_feed
    GRACE = grace
    NOTICE_FROM = block.timestamp + SET_UP
    self._set_guardian(guardian_)


# What the Exchange asks


@external
@view
def price(market: uint256) -> (uint256, uint256):
    """
    @notice Never reverts when given `PRICE_GAS`. With less it may burn all of it, so that no caller can starve a source.
    @return Price in micro-USDC per lot (0 = none), and the time since which a majority of its sources has spoken.
    """
    rule: Rule = self._rule_of(market)
    if rule.count == 0:
        return 0, 0
    agreed: Reading = empty(Reading)
    agreeing: uint256 = 0
    agreed, agreeing = self._agreed(self._fresh(market, rule), rule)
    return agreed.price, agreed.published_at


@external
@pure
def PRICE_GAS() -> uint256:
    """
    @return Gas that suffices for `price` whatever the sources do with theirs.
    """
    return SEQUENCER_GAS + MAX_SOURCES * SOURCE_GAS + 45_000


# What people ask


@external
@view
def sources_of(
    market: uint256,
) -> (uint256, uint256, uint256, DynArray[Source, MAX_SOURCES], DynArray[bool, MAX_SOURCES]):
    """
    @return Size decimals, quorum, largest deviation in ppm, the sources, and which of them are enabled.
    """
    rule: Rule = self._rule_of(market)
    found: DynArray[Source, MAX_SOURCES] = []
    enabled: DynArray[bool, MAX_SOURCES] = []
    for i: uint256 in range(MAX_SOURCES):
        if i < rule.count:
            stored: StoredSource = self.sources[market][i]
            found.append(
                Source(adapter=self._adapter_in(stored.word), feed=stored.feed, max_age=stored.word >> 160)
            )
            enabled.append((rule.enabled >> i) & 1 == 1)
    return rule.size_decimals, rule.quorum, rule.max_deviation, found, enabled


@external
@view
def readings(market: uint256) -> DynArray[Reading, MAX_SOURCES]:
    """
    @return What each source says now, of whatever age and enabled or not; nothing but zeros for one that fails.
    """
    rule: Rule = self._rule_of(market)
    found: DynArray[Reading, MAX_SOURCES] = []
    for i: uint256 in range(MAX_SOURCES):
        if i < rule.count:
            stored: StoredSource = self.sources[market][i]
            found.append(self._read(self._adapter_in(stored.word), stored.feed, rule.size_decimals))
    return found


# Governance and guardian


@external
def set_sources(
    market: uint256,
    size_decimals: uint256,
    quorum: uint256,
    max_deviation: uint256,
    sources: DynArray[Source, MAX_SOURCES],
):
    """
    @notice Names all sources of a market, with notice when it has some or when the router is three days old. They must
            have fresh prices now, and agree.
    """
    notices._check_governance()
    assert market != 0 and market < 2**16, "market id not in 1..65535"
    assert size_decimals <= 6, "size decimals above 6"
    assert len(sources) != 0, "no sources"
    assert quorum != 0 and quorum <= len(sources), "quorum not in 1..sources"
    assert (
        max_deviation >= LEAST_DEVIATION and max_deviation <= MOST_DEVIATION
    ), "deviation not in 1000..100000"
    if self.rules[market] != 0 or block.timestamp >= NOTICE_FROM:
        notices._spend(
            abi_encode(
                market,
                size_decimals,
                quorum,
                max_deviation,
                sources,
                method_id=method_id(
                    "set_sources(uint256,uint256,uint256,uint256,(address,bytes32,uint256)[])"
                ),
            )
        )
    for i: uint256 in range(len(sources), bound=MAX_SOURCES):
        source: Source = sources[i]
        assert source.adapter.is_contract, "adapter has no code"
        assert source.max_age >= LEAST_AGE and source.max_age <= MOST_AGE, "age not in 5..90000"
        for j: uint256 in range(i, bound=MAX_SOURCES):
            assert (
                sources[j].adapter != source.adapter or sources[j].feed != source.feed
            ), "source named twice"
        self.sources[market][i] = StoredSource(
            word=(source.max_age << 160) | convert(source.adapter, uint256), feed=source.feed
        )
    rule: Rule = Rule(
        size_decimals=size_decimals,
        quorum=quorum,
        max_deviation=max_deviation,
        count=len(sources),
        enabled=2**len(sources) - 1,
    )
    self._store(market, rule)
    fresh: DynArray[Reading, MAX_SOURCES] = self._fresh(market, rule)
    assert len(fresh) == len(sources), "source without a price"
    agreed: Reading = empty(Reading)
    agreeing: uint256 = 0
    agreed, agreeing = self._agreed(fresh, rule)
    assert agreeing == len(sources), "sources disagree"
    log SourcesSet(
        market=market,
        size_decimals=size_decimals,
        quorum=quorum,
        max_deviation=max_deviation,
        sources=sources,
    )


@external
def enable_source(market: uint256, index: uint256):
    """
    @notice Lets a disabled source speak again, with notice.
    """
    notices._check_governance()
    rule: Rule = self._rule_of(market)
    assert index < rule.count, "no such source"
    assert (rule.enabled >> index) & 1 == 0, "source is enabled"
    notices._spend(abi_encode(market, index, method_id=method_id("enable_source(uint256,uint256)")))
    rule.enabled |= 1 << index
    self._store(market, rule)
    log SourceEnabled(market=market, index=index)


@external
def disable_source(market: uint256, index: uint256):
    """
    @notice Silences a source at once, as long as the others make a quorum: a market without any price would lock its holders in.
    """
    assert msg.sender in [self.guardian, ownable.owner], "only guardian or governance"
    rule: Rule = self._rule_of(market)
    assert index < rule.count, "no such source"
    assert (rule.enabled >> index) & 1 == 1, "source is disabled"
    rule.enabled ^= 1 << index
    left: uint256 = 0
    for i: uint256 in range(MAX_SOURCES):
        left += (rule.enabled >> i) & 1
    assert left >= rule.quorum, "quorum needs it"
    self._store(market, rule)
    log SourceDisabled(market=market, index=index)


@external
def set_guardian(guardian_: address):
    notices._check_governance()
    self._set_guardian(guardian_)


@internal
def _set_guardian(guardian_: address):
    self.guardian = guardian_
    log GuardianSet(guardian=guardian_)


@internal
def _store(market: uint256, rule: Rule):
    self.rules[market] = (
        (rule.enabled << 56)
        | (rule.count << 48)
        | (rule.max_deviation << 16)
        | (rule.quorum << 8)
        | rule.size_decimals
    )


# Where a price comes from


@internal
@view
def _rule_of(market: uint256) -> Rule:
    word: uint256 = self.rules[market]
    return Rule(
        size_decimals=word & 255,
        quorum=(word >> 8) & 255,
        max_deviation=(word >> 16) & (2**32 - 1),
        count=(word >> 48) & 255,
        enabled=word >> 56,
    )


@internal
@pure
def _adapter_in(word: uint256) -> address:
    return convert(word & (2**160 - 1), address)


@internal
@view
def _fresh(market: uint256, rule: Rule) -> DynArray[Reading, MAX_SOURCES]:
    """
    @return What the enabled sources say that have a price now, the lowest first.
    """
    found: DynArray[Reading, MAX_SOURCES] = []
    since: uint256 = self._up_since()
    if since == NEVER:
        return found
    for i: uint256 in range(MAX_SOURCES):
        if (rule.enabled >> i) & 1 == 0:
            continue
        stored: StoredSource = self.sources[market][i]
        r: Reading = self._read(self._adapter_in(stored.word), stored.feed, rule.size_decimals)
        if (
            r.price == 0
            or r.published_at + (stored.word >> 160) < block.timestamp
            # a price from before an outage is one that nobody could correct in it
            or r.published_at < since
        ):
            continue
        found.append(r)
        for back: uint256 in range(MAX_SOURCES - 1):
            at: uint256 = len(found) - 1 - back
            if at == 0 or found[at - 1].price <= found[at].price:
                break
            found[at] = found[at - 1]
            found[at - 1] = r
    return found


@internal
@view
def _up_since() -> uint256:
    """
    @return Since when the sequencer is up, or `NEVER` when it is down, in its grace, or nothing is known of it.
    """
    if SEQUENCER_FEED == empty(address):
        return 0
    assert msg.gas >= SEQUENCER_GAS * 64 // 63 + CALL_GAS, UNREACHABLE
    success: bool = False
    response: Bytes[160] = b""
    success, response = raw_call(
        SEQUENCER_FEED,
        method_id("latestRoundData()"),
        max_outsize=160,
        gas=SEQUENCER_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )
    if not success or len(response) != 160:
        return NEVER
    # round id, status (0 = up), since when, ...
    status: uint256 = convert(slice(response, 32, 32), uint256)
    since: uint256 = convert(slice(response, 64, 32), uint256)
    if status != 0 or since == 0 or since > block.timestamp or block.timestamp - since < GRACE:
        return NEVER
    return since


@internal
@view
def _read(adapter: address, feed: bytes32, size_decimals: uint256) -> Reading:
    """
    @return A price within bounds and a time that is not ahead, or zeros.
    """
    assert msg.gas >= SOURCE_GAS * 64 // 63 + CALL_GAS, UNREACHABLE
    success: bool = False
    response: Bytes[64] = b""
    success, response = raw_call(
        adapter,
        abi_encode(feed, size_decimals, method_id=method_id("read(bytes32,uint256)")),
        max_outsize=64,
        gas=SOURCE_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )
    if not success or len(response) != 64:
        return empty(Reading)
    r: Reading = Reading(
        price=convert(slice(response, 0, 32), uint256), published_at=convert(slice(response, 32, 32), uint256)
    )
    if r.price > units.MAX_PRICE or r.published_at > block.timestamp + units.MAX_AHEAD:
        return empty(Reading)
    return r


@internal
@pure
def _agreed(fresh: DynArray[Reading, MAX_SOURCES], rule: Rule) -> (Reading, uint256):
    """
    @dev Who is too far from the median does not count; a majority of the fresh ones, and the quorum, must be left.
    @return Median of those that agree (0 = none), the time since which a majority of them has spoken; and how many they are.
    """
    count: uint256 = len(fresh)
    if count == 0:
        return empty(Reading), 0
    center: uint256 = fresh[(count - 1) // 2].price
    room: uint256 = center * rule.max_deviation // PPM
    prices: DynArray[uint256, MAX_SOURCES] = []
    times: DynArray[uint256, MAX_SOURCES] = []
    for r: Reading in fresh:
        if max(r.price, center) - min(r.price, center) > room:
            continue
        prices.append(r.price)
        times.append(r.published_at)
    agreeing: uint256 = len(prices)
    if agreeing < max(rule.quorum, count // 2 + 1):
        return empty(Reading), agreeing
    # whichever majority one takes, the median lies between two prices of it: so it is as new as the newest majority
    majority: uint256 = max(rule.quorum, agreeing // 2 + 1)
    oldest: uint256 = 0
    for time: uint256 in times:
        newer: uint256 = 0
        for other: uint256 in times:
            if other >= time:
                newer += 1
        if newer >= majority:
            oldest = max(oldest, time)
    middle: uint256 = agreeing // 2
    median: uint256 = prices[middle]
    if agreeing % 2 == 0:
        median = (prices[middle - 1] + median) // 2
    return Reading(price=median, published_at=oldest), agreeing
