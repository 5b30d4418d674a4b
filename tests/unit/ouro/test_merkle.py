# SPDX-License-Identifier: AGPL-3.0-only
"""Trees against RFC 6962: its recursive definition, and the roots that certificate logs test with."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ouro import merkle

LOG_RECORDS = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
LOG_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def by_definition(records: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if len(records) == 1:
        return sha256(b"\x00" + records[0]).digest()
    split = 1
    while split * 2 < len(records):
        split *= 2
    return sha256(b"\x01" + by_definition(records[:split]) + by_definition(records[split:])).digest()


@pytest.mark.parametrize("count", range(1, 9))
def test_root_is_the_one_of_certificate_logs(count: int) -> None:
    assert merkle.root(map(merkle.leaf, LOG_RECORDS[:count])).hex() == LOG_ROOTS[count - 1]


@given(st.integers(1, 70))
def test_every_path_leads_to_the_root_of_the_definition(count: int) -> None:
    records = [number.to_bytes(4, "big") for number in range(count)]
    leaves = [merkle.leaf(record) for record in records]
    tree = merkle.Tree(leaves)
    assert tree.root == merkle.root(leaves) == by_definition(records)
    for index, each in enumerate(leaves):
        path = tree.path(index)
        assert path == merkle.path(leaves, index)
        assert merkle.root_of_path(each, index, count, path) == tree.root
        for other in range(count):
            if other != index:
                try:
                    claimed = merkle.root_of_path(each, other, count, path)
                except ValueError:
                    continue
                assert claimed != tree.root


def test_a_path_of_the_wrong_length_proves_nothing() -> None:
    leaves = [merkle.leaf(bytes((number,))) for number in range(5)]
    path = merkle.path(leaves, 2)
    with pytest.raises(ValueError, match="too short"):
        merkle.root_of_path(leaves[2], 2, 5, path[:-1])
    with pytest.raises(ValueError, match="too long"):
        merkle.root_of_path(leaves[2], 2, 5, (*path, bytes(32)))
    with pytest.raises(ValueError, match="not among"):
        merkle.root_of_path(leaves[2], 5, 5, path)
    with pytest.raises(ValueError, match="not among"):
        merkle.path(leaves, 5)


def test_a_tree_needs_a_leaf() -> None:
    with pytest.raises(ValueError, match="needs a leaf"):
        merkle.root([])
    with pytest.raises(ValueError, match="needs a leaf"):
        merkle.Tree([])


def test_the_head_binds_every_field() -> None:
    fields = (bytes(32), 7, 3, merkle.leaf(b"root"), merkle.leaf(b"state"))
    expected = sha256(fields[0] + (7).to_bytes(8, "big") + (3).to_bytes(4, "big") + fields[3] + fields[4]).digest()
    assert merkle.next_head(*fields) == expected
