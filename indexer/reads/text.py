# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: integers to the strings of the wire. Plain decimals, never an exponent; ISO times in UTC with milliseconds."""

from datetime import UTC, datetime

USD_DECIMALS = 6


def fixed(value: int, decimals: int) -> str:
    """`value / 10^decimals` without needless zeros: (20500, 2) is "205", (-5, 3) is "-0.005"."""
    sign = "-" if value < 0 else ""
    whole, part = divmod(abs(value), 10**decimals)
    digits = str(part).rjust(decimals, "0").rstrip("0") if decimals else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def usd(micro: int) -> str:
    """Micro-USDC as USDC."""
    return fixed(micro, USD_DECIMALS)


def quotient(numerator: int, denominator: int, decimals: int, shown: int = 10) -> str:
    """`numerator / denominator / 10^decimals` cut after `shown` decimals; "0" for a denominator of 0."""
    if denominator == 0:
        return "0"
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    magnitude = abs(numerator) * 10 ** max(0, shown - decimals) // denominator
    return fixed(-magnitude if numerator < 0 else magnitude, max(shown, decimals))


def iso(time_s: int) -> str:
    """Seconds since 1970 as `YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    return iso_ms(time_s * 1000)


def iso_ms(time_ms: int) -> str:
    """Milliseconds since 1970 as `YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"
