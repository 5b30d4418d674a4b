# SPDX-License-Identifier: Apache-2.0
"""A key for a bot: it signs orders in one market, for so much, for a day, and can never move money."""

from decimal import Decimal

from wallet import trader

from ouro.client import LocalSigner, OuroClient, SessionKeyError


def main() -> None:
    key = LocalSigner.create()
    with OuroClient(signer=trader()) as owner:
        sent = owner.chain.register_session_key(
            key.address, markets=["BTC-USD"], budget="2000", expires_in_seconds=86_400
        )
        owner.chain.wait_until_seen(sent)

        with OuroClient(signer=key, owner=owner.address) as bot:
            index_price = bot.markets.get("BTC-USD").oracle_price
            assert index_price is not None
            low = index_price * Decimal("0.95")
            placed = bot.orders.place_limit_order("BTC-USD", "BUY", "0.01", low)
            print(f"the key's order is {placed.status}")
            for market, size in (("ETH-USD", "0.1"), ("BTC-USD", "10")):
                try:
                    bot.orders.place_limit_order(market, "BUY", size, low)
                except SessionKeyError as refused:
                    print(f"{refused.code}: {refused.message}")
            bot.orders.cancel_all()  # those that this key signed

        for listed in owner.account.session_keys():
            print(f"{listed.key} {listed.status} until {listed.expires_at}")
        scope = owner.chain.session_key_scope(key.address)
        assert scope is not None
        print(f"{scope.budget_left:.2f} USDC of its budget are left")
        owner.chain.revoke_session_key(key.address)
        print("revoked")


if __name__ == "__main__":
    main()
