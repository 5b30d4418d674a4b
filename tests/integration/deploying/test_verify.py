# SPDX-License-Identifier: AGPL-3.0-only
"""`verify` finds whatever differs from the record, from the sources, or from what a deployment should be."""

import pytest

from tests.integration.deploying.checkout import DEPLOYER, NEWCOMER, Scripts
from tests.support.abi import abi_of
from tests.support.build import artifact
from tests.support.chain import Contract
from tests.support.system import EXCHANGE

STRANGER = "0x" + "5a" * 20


def verify(scripts: Scripts) -> list[str]:
    """The lines that say what is wrong; the script must have failed."""
    printed = scripts.run("verify", "--kept", fails=True)
    assert "checks failed" in printed
    return [line.removeprefix("FAIL ") for line in printed.splitlines() if line.startswith("FAIL ")]


def test_a_fresh_deployment_is_verified_and_its_hashes_printed(scripts: Scripts) -> None:
    printed = scripts.run("verify", "--kept")  # the walk through docs/deploying.md compiles all anew
    assert "verified: " in printed
    for name, entry in scripts.data["code"].items():
        assert f"{name} ({entry['contract']}) {scripts.data['contracts'][name]}" in printed
        assert f"creation {entry['creationHash']}  runtime {entry['runtimeHash']}" in printed
        assert f"ok   {name}: created by this code and these arguments" in printed
    assert f"note timelock: proposers {DEPLOYER}" in printed


def test_other_code_on_chain(scripts: Scripts) -> None:
    vault = scripts.data["contracts"]["vault"]
    rpc = scripts.node.rpc
    code = bytes.fromhex(rpc.request("eth_getCode", vault, "latest")[2:])
    changed = bytes([code[0] ^ 1]) + code[1:]
    rpc.request("anvil_setCode", vault, "0x" + changed.hex())
    assert [line.split(": ", 1)[1].split(": ")[0] for line in verify(scripts)] == [
        "code on chain as recorded",
        "code on chain as compiled",
    ]


def test_another_immutable_on_chain(scripts: Scripts) -> None:
    """The code is ours and the cosigned delay is not."""
    vault = scripts.data["contracts"]["vault"]
    rpc = scripts.node.rpc
    code = bytes.fromhex(rpc.request("eth_getCode", vault, "latest")[2:])
    offset = len(artifact("Vault").runtime) + artifact("Vault").layout["code_layout"]["withdrawal_delay"]["offset"]
    changed = code[:offset] + (0).to_bytes(32, "big") + code[offset + 32 :]
    rpc.request("anvil_setCode", vault, "0x" + changed.hex())
    found = verify(scripts)
    assert any(line.startswith("vault: code on chain as recorded") for line in found)
    assert any(line.startswith("vault: immutable withdrawal_delay") for line in found)


def test_other_sources(scripts: Scripts) -> None:
    source = scripts.folder / "contracts" / "PushedOracle.vy"
    text = source.read_text()
    try:
        source.write_text(text.replace("MAX_AHEAD: constant(uint256) = 10", "MAX_AHEAD: constant(uint256) = 11"))
        found = verify(scripts)
    finally:
        source.write_text(text)
    assert any(line.startswith("oracle: creation code as recorded") for line in found)
    assert all(line.startswith("oracle: ") for line in found)


def test_an_operator_and_an_owner_that_the_record_does_not_know(scripts: Scripts) -> None:
    rpc, contracts = scripts.node.rpc, scripts.data["contracts"]
    rpc.fund(contracts["timelock"])
    exchange = Contract(rpc, contracts["exchange"], abi_of(*EXCHANGE)).send(contracts["timelock"])
    vault = Contract(rpc, contracts["vault"], abi_of("Vault")).send(contracts["timelock"])
    exchange.set_operator(STRANGER, True)
    exchange.set_guardian(STRANGER)
    vault.set_cosigner(STRANGER, True)
    vault.transfer_ownership(NEWCOMER)
    found = verify(scripts)
    for what in (
        "operators of exchange",
        "cosigners of vault",
        "guardian of exchange",
        "vault is offered to nobody",
    ):
        assert any(line.startswith(what) for line in found), what
    assert len(found) == 4
    rpc.fund(NEWCOMER)
    Contract(rpc, contracts["vault"], abi_of("Vault")).send(NEWCOMER).accept_ownership()
    assert any(line.startswith("vault is owned by governance") for line in verify(scripts))


def test_a_market_that_differs_from_the_record(scripts: Scripts) -> None:
    markets = scripts.data["markets"]
    markets[0]["imfPpm"] = 10_000
    scripts.change_record("markets", value=markets[:1])
    found = verify(scripts)
    assert any(line.startswith("markets: is [1, 2], expected [1]") for line in found)
    assert any(line.startswith("BTC-USD: as recorded") and "imfPpm" in line for line in found)


def test_with_real_money_the_delay_and_the_deployer_count(scripts: Scripts) -> None:
    """What is good enough for a test network is not, once the record claims not to be one."""
    scripts.change_record("testNetwork", value=False)
    found = verify(scripts)
    assert "timelock: delay can never be below two days: 5 s" in found
    assert f"the deployer {DEPLOYER} is proposer of timelock" in found


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("code", "vault", "arguments"), [STRANGER, STRANGER, 120], "vault: created by this code and these arguments"),
        (("code", "desk", "codeHash"), "0x00", "desk: code on chain as recorded"),
        (("code", "timelock", "block"), 1, "timelock: created in the recorded block"),
    ],
)
def test_a_record_that_lies(scripts: Scripts, path: tuple[str, ...], value: object, told: str) -> None:
    scripts.change_record(*path, value=value)
    assert any(line.startswith(told) for line in verify(scripts))
