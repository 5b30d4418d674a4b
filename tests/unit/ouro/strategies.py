# SPDX-License-Identifier: AGPL-3.0-only
"""Any order that a message can carry."""

from eth_account import Account
from hypothesis import strategies as st

from ouro import addresses
from ouro.orders import Order, SelfTrade, Side, TimeInForce, Trigger

TICKERS = {1: "BTC-USD", 2: "ETH-USD", 65_535: "DOGE-USD"}
KEY = bytes.fromhex("17" * 32)
SIGNER = str(Account.from_key(KEY).address)


def uints(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << bits) - 1)


orders = st.builds(
    Order,
    market=st.sampled_from(list(TICKERS.values())),
    side=st.sampled_from(Side),
    size=uints(48),
    limit_price=uints(48),
    time_in_force=st.sampled_from(TimeInForce),
    post_only=st.booleans(),
    reduce_only=st.booleans(),
    trigger=st.sampled_from(Trigger),
    trigger_price=uints(48),
    max_fee_ppm=uints(16),
    expiry=uints(32),
    account=st.binary(min_size=20, max_size=20).map(addresses.checksum),
    subaccount=uints(16),
    self_trade=st.sampled_from(SelfTrade),
    slot=uints(16),
    generation=uints(48),
    revision=uints(16),
    referrer=uints(32),
)
