# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Outflow
@license GNU Affero General Public License v3.0 only
@notice How much may leave, net of what comes in, per hour and per day: two buckets that what leaves fills, and that empty again
        with time and with deposits. A cap is the greater of a fixed floor and of a share of what is held; what has left and has
        not emptied yet counts as held, so that one payment or many take the same. What an owner brought in and freed nothing
        with fills nothing when it leaves again within a day: money that goes round holds nobody up. Caps are bounded below:
        they delay a run, and trap nobody.
"""

HOUR: constant(uint256) = 3_600
DAY: constant(uint256) = 86_400
PPM: constant(uint256) = 1_000_000

# the tightest caps that there can be: floors in micro-USDC, shares in ppm
MIN_HOUR_FLOOR: constant(uint256) = 25_000 * 10**6
MIN_HOUR_SHARE: constant(uint256) = 50_000
MIN_DAY_FLOOR: constant(uint256) = 100_000 * 10**6
MIN_DAY_SHARE: constant(uint256) = 200_000
MAX_FLOOR: constant(uint256) = 2**63

# of a cap, what instant payments may use: the rest is left to those who wait, whatever a cosigner signs
INSTANT_PPM: constant(uint256) = 750_000


event OutflowLimitsSet:
    hour_floor: uint256
    hour_share: uint256
    day_floor: uint256
    day_share: uint256


struct Limits:
    hour_floor: uint256  # micro-USDC
    hour_share: uint256  # ppm
    day_floor: uint256
    day_share: uint256


struct Used:
    hour: uint256  # micro-USDC that have left, and have not emptied yet
    day: uint256


limits_word: uint256  # hour floor 64 | hour share 64 | day floor 64 | day share 64
used_word: uint256  # hour 96 | day 96 | time of both 64
fresh_words: HashMap[
    address, uint256
]  # by owner, what came in and freed nothing: hour 96 | day 96 | time of the last 64


@deploy
def __init__():
    self._set(
        Limits(
            hour_floor=1_000_000 * 10**6,
            hour_share=200_000,
            day_floor=5_000_000 * 10**6,
            day_share=500_000,
        )
    )


@internal
def _set(limits: Limits):
    """
    @dev Within the bounds; whoever changes limits has brought the buckets up to now before.
    """
    assert limits.hour_floor >= MIN_HOUR_FLOOR and limits.hour_floor <= MAX_FLOOR, "hour floor out of bounds"
    assert limits.hour_share >= MIN_HOUR_SHARE and limits.hour_share <= PPM, "hour share out of bounds"
    assert limits.day_floor >= MIN_DAY_FLOOR and limits.day_floor <= MAX_FLOOR, "day floor out of bounds"
    assert limits.day_share >= MIN_DAY_SHARE and limits.day_share <= PPM, "day share out of bounds"
    self.limits_word = (
        (limits.hour_floor << 192) | (limits.hour_share << 128) | (limits.day_floor << 64) | limits.day_share
    )
    log OutflowLimitsSet(
        hour_floor=limits.hour_floor,
        hour_share=limits.hour_share,
        day_floor=limits.day_floor,
        day_share=limits.day_share,
    )


@internal
@view
def _limits() -> Limits:
    word: uint256 = self.limits_word
    return Limits(
        hour_floor=word >> 192,
        hour_share=(word >> 128) & (2**64 - 1),
        day_floor=(word >> 64) & (2**64 - 1),
        day_share=word & (2**64 - 1),
    )


@internal
@pure
def _is_within(limits: Limits, others: Limits) -> bool:
    """
    @return Whether no limit is above the other one of its kind.
    """
    return (
        limits.hour_floor <= others.hour_floor
        and limits.hour_share <= others.hour_share
        and limits.day_floor <= others.day_floor
        and limits.day_share <= others.day_share
    )


@internal
@view
def _used(limits: Limits, held: uint256) -> Used:
    """
    @return The buckets now: in an hour (a day) as much has emptied as the cap would be of what is held.
    """
    word: uint256 = self.used_word
    elapsed: uint256 = block.timestamp - (word & (2**64 - 1))
    hour: uint256 = word >> 160
    day: uint256 = (word >> 64) & (2**96 - 1)
    return Used(
        hour=hour - min(hour, self._cap(held, limits.hour_floor, limits.hour_share) * elapsed // HOUR),
        day=day - min(day, self._cap(held, limits.day_floor, limits.day_share) * elapsed // DAY),
    )


@internal
def _store(used: Used):
    self.used_word = (used.hour << 160) | (used.day << 64) | block.timestamp


@internal
def _touch(held: uint256):
    """
    @notice Brings the buckets up to now.
    """
    self._store(self._used(self._limits(), held))


@internal
@view
def _fresh(owner: address) -> Used:
    """
    @return What the owner brought in within a day and has not taken out again, without what it freed of each bucket.
    """
    word: uint256 = self.fresh_words[owner]
    if block.timestamp >= (word & (2**64 - 1)) + DAY:
        return empty(Used)
    return Used(hour=word >> 160, day=(word >> 64) & (2**96 - 1))


@internal
def _take(held: uint256, owner: address, amount: uint256, instant: bool):
    """
    @param held What is held before `amount` leaves.
    """
    limits: Limits = self._limits()
    used: Used = self._used(limits, held)
    room: Used = self._room_of(limits, used, held, instant)
    fresh: Used = self._fresh(owner)
    own: Used = Used(hour=min(amount, fresh.hour), day=min(amount, fresh.day))
    assert amount - own.hour <= room.hour and amount - own.day <= room.day, "outflow cap"
    self._store(Used(hour=used.hour + amount - own.hour, day=used.day + amount - own.day))
    if own.hour + own.day != 0:
        # the time stays: only what comes in is new
        self.fresh_words[owner] = (
            ((fresh.hour - own.hour) << 160)
            | ((fresh.day - own.day) << 64)
            | (self.fresh_words[owner] & (2**64 - 1))
        )


@internal
def _free(held: uint256, owner: address, amount: uint256):
    """
    @param held What was held before `amount` came in.
    @param owner For whom it came in; zero for nobody.
    """
    used: Used = self._used(self._limits(), held)
    freed: Used = Used(hour=min(used.hour, amount), day=min(used.day, amount))
    self._store(Used(hour=used.hour - freed.hour, day=used.day - freed.day))
    if owner != empty(address):
        fresh: Used = self._fresh(owner)
        self.fresh_words[owner] = (
            (min(fresh.hour + amount - freed.hour, 2**96 - 1) << 160)
            | (min(fresh.day + amount - freed.day, 2**96 - 1) << 64)
            | block.timestamp
        )


@internal
@view
def _room(held: uint256, owner: address, instant: bool) -> uint256:
    """
    @return What could leave now for the owner, micro-USDC.
    """
    limits: Limits = self._limits()
    room: Used = self._room_of(limits, self._used(limits, held), held, instant)
    fresh: Used = self._fresh(owner)
    return min(room.hour + fresh.hour, room.day + fresh.day)


@internal
@pure
def _room_of(limits: Limits, used: Used, held: uint256, instant: bool) -> Used:
    """
    @return What either bucket still takes.
    """
    hour: uint256 = self._cap(held + used.hour, limits.hour_floor, limits.hour_share)
    day: uint256 = self._cap(held + used.day, limits.day_floor, limits.day_share)
    if instant:
        hour = hour * INSTANT_PPM // PPM
        day = day * INSTANT_PPM // PPM
    return Used(hour=hour - min(hour, used.hour), day=day - min(day, used.day))


@internal
@pure
def _cap(held: uint256, floor_: uint256, share: uint256) -> uint256:
    return max(floor_, held * share // PPM)
