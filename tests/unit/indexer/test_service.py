# SPDX-License-Identifier: AGPL-3.0-only
"""What the front door tells of itself."""

import pytest

from indexer.service import announced


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("https://node.example/", "https://node.example/"),
        ("https://node.example/v3/a-secret-key", ""),
        ("https://node.example/?key=a-secret-key", ""),
        ("https://user:a-secret-key@node.example", ""),
    ],
)
def test_a_key_in_the_node_url_is_not_announced(url: str, told: str) -> None:
    assert announced(url) == told
