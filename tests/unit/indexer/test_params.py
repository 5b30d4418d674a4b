# SPDX-License-Identifier: AGPL-3.0-only
"""Query parameters as clients really send them."""

import pytest
from starlette.datastructures import QueryParams

from indexer.api.errors import ApiError
from indexer.api.params import Params, children_of, owner_address

CHECKSUMMED = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


def query(text: str) -> Params:
    return Params(QueryParams(text))


@pytest.mark.parametrize("text", ["status=OPEN,filled", "status=open&status=FILLED", "status=Open%2CFilled"])
def test_lists_come_by_comma_or_repetition_in_any_case(text: str) -> None:
    assert query(text).texts("status", among=("OPEN", "FILLED")) == ["OPEN", "FILLED"]


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00.000Z",
        "2026-01-31T12:00:00+00:00",
        "2026-01-31T12:00:00%2B00:00",
        "2026-01-31T13:00:00%2B01:00",
        "2026-01-31T12:00:00",
    ],
)
def test_times_come_with_or_without_an_escaped_zone(text: str) -> None:
    assert query(f"fromISO={text}").time_s("fromISO", "fromIso") == 1_769_860_800


def test_either_spelling_counts() -> None:
    assert query("fromIso=1970-01-01T00:01:00Z").time_s("fromISO", "fromIso") == 60
    assert query("effectiveBeforeOrAt=1970-01-01T00:01:00Z").window().until_s == 60


def test_inclusive_ends_round_inwards() -> None:
    assert query("a=1970-01-01T00:01:00.500Z").time_s("a") == 60
    assert query("a=1970-01-01T00:01:00.500Z").time_s("a", up=True) == 61


def test_limit_is_at_most_a_thousand() -> None:
    assert query("").limit() == 1_000
    assert query("limit=99999").limit() == 1_000
    assert query("limit=7").limit() == 7


@pytest.mark.parametrize("text", ["limit=0", "limit=x", "page=0", "createdBeforeOrAt=soon", "page=9999999999"])
def test_nonsense_names_its_parameter(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        query(text).window()
    assert refused.value.status == 400
    assert refused.value.param == text.split("=")[0]


def test_addresses_come_in_any_case() -> None:
    assert owner_address(CHECKSUMMED.lower()) == CHECKSUMMED
    with pytest.raises(ApiError, match="40 hex digits"):
        owner_address("dydx1abc")


def test_children_are_128_apart() -> None:
    assert children_of(3)[:3] == [3, 131, 259]
