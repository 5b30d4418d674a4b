# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, by family: a class, a stable code, a sentence, a hint, and how long to wait."""

from wallet import trader

from ouro.client import (
    InsufficientMarginError,
    NotFoundError,
    OrderRuleError,
    OuroClient,
    RateLimitedError,
    RefusedError,
    UnavailableError,
    UnreachableError,
)


def attempt(client: OuroClient, size: str, price: str) -> None:
    try:
        client.orders.place_limit_order("BTC-USD", "BUY", size, price)
    except InsufficientMarginError as error:
        print(f"{error.code}: {error.message} ({error.hint})")
    except OrderRuleError as error:
        print(f"{error.code} in {error.param}: {error.message} ({error.hint})")
    except (RateLimitedError, UnavailableError) as error:
        print(f"again in {error.retry_after} s")
    except RefusedError as error:
        print(f"{error.status} {error.code}: {error.message}")


def main() -> None:
    with OuroClient(signer=trader()) as client:
        index_price = client.markets.get("BTC-USD").oracle_price
        attempt(client, "1000", str(index_price))
        attempt(client, "0.01", "90000")
        try:
            client.orders.get("0x" + "00" * 32)
        except NotFoundError as error:
            print(f"{error.code}: {error.message}")
    with OuroClient("http://127.0.0.1:9") as nowhere:
        try:
            nowhere.height()
        except UnreachableError as error:
            print(error)


if __name__ == "__main__":
    main()
