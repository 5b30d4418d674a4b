# SPDX-License-Identifier: Apache-2.0
"""Units, bounds and the few roundings that the protocol names. Money is an int of micro-USDC throughout."""

from decimal import Decimal, InvalidOperation

SCALE = 1 << 32
"""Fixed point of indices and of the normalised quote."""
PPM = 1_000_000
USDC_DECIMALS = 6
MICRO = 10**USDC_DECIMALS
SETTLE_WINDOW_S = 60
MAX_AHEAD_MS = 10_000
"""How far a signing time may run ahead of the block."""
MAX_ORDER_LIFE_S = 90 * 86_400
MAX_SUBACCOUNT_POSITIONS = 8
MAX_BATCH_FILLS = 32
MAX_BATCH_ORDERS = 64
MAX_GROUP_FILLS = 16
"""Fills that the relayer joins at most, to be settled all or not at all: the contract wants gas at hand for all."""
MAX_SIZE_LOTS = 1 << 46
MAX_PRICE = 1 << 40


def ceil_div(a: int, b: int) -> int:
    """a / b rounded towards plus infinity."""
    return -(-a // b)


def trunc_div(a: int, b: int) -> int:
    """a / b rounded towards zero, as the contracts divide signed numbers."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def usdc(amount: Decimal | str | int) -> int:
    """USDC as a person writes them, to micro-USDC. Raises `ValueError` for what is no number or finer than 10^-6."""
    return scaled(amount, 6, "USDC amount")


def from_micro(amount: int) -> Decimal:
    """Micro-USDC to USDC, exactly."""
    return Decimal(amount).scaleb(-6)


def plain(value: Decimal) -> str:
    """A decimal without exponent and without trailing zeros after the point: `0.5`, `10`, never `1E+1`."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def scaled(value: Decimal | str | int, decimals: int, what: str) -> int:
    """`value` * 10^decimals as an int; raises `ValueError` naming `what` unless that is exact."""
    try:
        moved = Decimal(value).scaleb(decimals)
    except InvalidOperation as error:
        raise ValueError(f"{what} {value!r} is not a number") from error
    if not moved.is_finite() or moved != moved.to_integral_value():
        raise ValueError(f"{what} {value} has more than {decimals} decimals")
    return int(moved)
