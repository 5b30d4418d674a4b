# SPDX-License-Identifier: AGPL-3.0-only
"""What a keeper says of its secrets when what it asks does not answer."""

import pytest

from keeper.ports import ChainError
from keeper.pusher import SourceError, UrlSource
from keeper.pyth import Hermes
from keeper.rpc_chain import RpcChain

SECRET = "http://user:secret@127.0.0.1:9/v3/secret?key=secret"


def test_a_nodes_key_is_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    chain = RpcChain(SECRET)
    with pytest.raises(ChainError) as raised:
        chain.head()
    chain.close()
    told = [str(raised.value)]
    for ask in (UrlSource(SECRET).prices, lambda: Hermes(SECRET).latest([b"\0" * 32])):
        with pytest.raises(SourceError) as failed:
            ask()
        told.append(str(failed.value))
    for text in (*told, caplog.text):
        assert "secret" not in text
    assert all("127.0.0.1:9" in text for text in told)
