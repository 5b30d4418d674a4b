# SPDX-License-Identifier: AGPL-3.0-only
"""Markets as traded: parameters in the scheme's exponents, index price, a day's figures, the next funding rate."""

from typing import Any

from sqlalchemy import Connection

from indexer.reads.catalog import Catalog, Listing
from indexer.reads.tape import RATE_DECIMALS, last_day
from indexer.reads.text import fixed, iso, usd
from indexer.views.worth import present
from ouro.maths import funding
from ouro.maths.margin import SCALE_UNIT

_STATUS = {0: "INITIALIZING", 1: "ACTIVE", 2: "CANCEL_ONLY", 3: "PAUSED", 4: "FINAL_SETTLEMENT", 5: "FINAL_SETTLEMENT"}
_QUANTUM_CONVERSION_EXPONENT = -9
_STEP_BASE_QUANTUMS = 10**6
_PPM_DECIMALS = 6


def market(connection: Connection, catalog: Catalog, listing: Listing) -> dict[str, Any]:
    """One market. `openInterest`, `baseOpenInterest`, `maxOpenInterest` are in the base asset. `volume24H` is in USDC,
    as are the caps, between which open interest scales `initialMarginFraction` up to 1 (upper cap 0: it does not).
    """
    row = listing.row
    day = last_day(connection, catalog, listing)
    change = row["index_price"] - day[0]["open"] if day and row["index_price"] else 0
    open_interest = listing.size(row["open_interest"])
    return {
        "clobPairId": str(listing.id),
        "ticker": listing.ticker,
        "status": _STATUS[row["state"]],
        "oraclePrice": listing.price(row["index_price"]),
        "oraclePublishedAt": iso(row["published_at"]),
        "priceChange24H": listing.price(change),
        "volume24H": usd(sum(candle["notional"] for candle in day)),
        "trades24H": sum(candle["trades"] for candle in day),
        "nextFundingRate": fixed(
            funding.next_rate(row["rate"], row["premium_sum"], row["volume_sum"], row["open_interest"]), RATE_DECIMALS
        ),
        "fundingRate": fixed(row["rate"], RATE_DECIMALS),
        "initialMarginFraction": fixed(row["imf_ppm"], _PPM_DECIMALS),
        "effectiveInitialMarginFraction": fixed(present(listing.row, catalog.time_s).imf_ppm, _PPM_DECIMALS),
        "maintenanceMarginFraction": fixed(row["mmf_ppm"], _PPM_DECIMALS),
        "openInterest": open_interest,
        "baseOpenInterest": open_interest,
        "openInterestLowerCap": usd(row["scale_from"] * SCALE_UNIT),
        "openInterestUpperCap": usd(row["scale_to"] * SCALE_UNIT),
        "maxOpenInterest": listing.size(row["max_open_interest"]),
        "defaultFundingRate1H": "0",
        "marketType": "CROSS",
        **exponents(listing),
    }


def exponents(listing: Listing) -> dict[str, Any]:
    """Tick and step twice: as decimals and in the scheme's quantums and subticks, which must agree."""
    # step = 10^6 quantums of 10^atomicResolution
    # tick = subticks of 10^(quantumConversionExponent - 6 - atomicResolution)
    atomic_resolution = -listing.size_decimals - 6
    subtick_exponent = _QUANTUM_CONVERSION_EXPONENT - 6 - atomic_resolution
    subticks = listing.row["tick"] * 10 ** (-listing.price_decimals - subtick_exponent)
    return {
        "atomicResolution": atomic_resolution,
        "quantumConversionExponent": _QUANTUM_CONVERSION_EXPONENT,
        "tickSize": listing.price(listing.row["tick"]),
        "stepSize": listing.size(1),
        "stepBaseQuantums": _STEP_BASE_QUANTUMS,
        "subticksPerTick": subticks,
    }


def trading(connection: Connection, catalog: Catalog, listing: Listing) -> dict[str, Any]:
    """The part of a market that trading changes, for the stream."""
    changing = (
        "status",
        "priceChange24H",
        "volume24H",
        "trades24H",
        "nextFundingRate",
        "fundingRate",
        "openInterest",
        "baseOpenInterest",
    )
    whole = market(connection, catalog, listing)
    return {"id": str(listing.id), "clobPairId": str(listing.id), "ticker": listing.ticker} | {
        name: whole[name] for name in changing
    }


def oracle_price(catalog: Catalog, listing: Listing) -> dict[str, Any]:
    """An index price, for the stream."""
    return {
        "oraclePrice": listing.price(listing.row["index_price"]),
        "effectiveAt": iso(listing.row["published_at"]),
        "effectiveAtHeight": str(catalog.height),
        "marketId": listing.id,
    }
