# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Pyth
@license GNU Affero General Public License v3.0 only
@notice Prices by id as Pyth's contract keeps them: an update is signed, costs a fee for each price in it, of which what is paid
        beyond is kept, and counts only when newer; reading one that never came, or one too old, reverts. One key signs here in
        place of the guardians of its bridge.
"""


struct Price:
    price: int64
    conf: uint64
    expo: int32
    publishTime: uint256


struct Update:
    id: bytes32
    price: Price


event PriceFeedUpdate:
    id: indexed(bytes32)
    publishTime: uint64
    price: int64
    conf: uint64


implementation: address  # of the proxy in front
signer: address
fee: uint256
latest: HashMap[bytes32, uint256]  # conf 64 | price 64 | expo 32 | time 64


@external
def set_up(signer: address, fee: uint256):
    self.signer = signer
    self.fee = fee


@external
@view
def getPriceUnsafe(id: bytes32) -> Price:
    return self._price(id)


@external
@view
def getPriceNoOlderThan(id: bytes32, age: uint256) -> Price:
    found: Price = self._price(id)
    if max(found.publishTime, block.timestamp) - min(found.publishTime, block.timestamp) > age:
        raw_revert(method_id("StalePrice()"))
    return found


@external
@view
def getUpdateFee(updateData: DynArray[Bytes[8192], 4]) -> uint256:
    count: uint256 = 0
    for data: Bytes[8192] in updateData:
        count += len(self._updates_in(data))
    return count * self.fee


@external
@payable
def updatePriceFeeds(updateData: DynArray[Bytes[8192], 4]):
    count: uint256 = 0
    for data: Bytes[8192] in updateData:
        updates: DynArray[Update, 16] = self._updates_in(data)
        count += len(updates)
        for u: Update in updates:
            if u.price.publishTime > self.latest[u.id] & (2**64 - 1):
                self.latest[u.id] = (
                    (convert(u.price.conf, uint256) << 160)
                    | (self._bits(convert(u.price.price, int256), 64) << 96)
                    | (self._bits(convert(u.price.expo, int256), 32) << 64)
                    | u.price.publishTime
                )
                log PriceFeedUpdate(
                    id=u.id,
                    publishTime=convert(u.price.publishTime, uint64),
                    price=u.price.price,
                    conf=u.price.conf,
                )
    if msg.value < count * self.fee:
        raw_revert(method_id("InsufficientFee()"))


@internal
@view
def _updates_in(data: Bytes[8192]) -> DynArray[Update, 16]:
    updates: DynArray[Update, 16] = []
    v: uint256 = 0
    r: uint256 = 0
    s: uint256 = 0
    updates, v, r, s = abi_decode(data, (DynArray[Update, 16], uint256, uint256, uint256))
    if ecrecover(keccak256(abi_encode(updates)), v, r, s) != self.signer:
        raw_revert(method_id("InvalidWormholeVaa()"))
    return updates


@internal
@view
def _price(id: bytes32) -> Price:
    word: uint256 = self.latest[id]
    if word == 0:
        raw_revert(method_id("PriceFeedNotFound()"))
    return Price(
        price=convert(self._signed(word >> 96, 64), int64),
        conf=convert(word >> 160, uint64),
        expo=convert(self._signed(word >> 64, 32), int32),
        publishTime=word & (2**64 - 1),
    )


@internal
@pure
def _bits(number: int256, width: uint256) -> uint256:
    return convert(convert(number, bytes32), uint256) & (2**width - 1)


@internal
@pure
def _signed(word: uint256, width: uint256) -> int256:
    return convert(convert(word << (256 - width), bytes32), int256) >> (256 - width)
