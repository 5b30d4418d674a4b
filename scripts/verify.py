# SPDX-License-Identifier: AGPL-3.0-only
"""Hold a deployment against its record and against code that is compiled here and now. Exit code 1 if anything differs.

    ape run verify --network URL --deployment FILE

Sends nothing and needs no account. Run it in a checkout of the sources that were deployed.
"""

from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from web3.exceptions import Web3Exception

from scripts._build import EXCHANGE, Code, compiled, settings
from scripts._chain import System, deployment_option, readable
from scripts._governance import ROLES, described, operations, rights_of, role, state_of
from scripts._parameters import ANYONE, MICRO, NOBODY, PRODUCTION_DELAY
from scripts._record import Record, market_entry_on_chain

# The same name, in the constructor and in the code.
ALIASES = {"token_": "token", "exchange_": "exchange", "vault_": "vault", "delay": "withdrawal_delay", "pyth_": "PYTH"}


class Findings:
    """What was looked at, printed as it comes."""

    def __init__(self) -> None:
        self.failed = 0
        self.looked_at = 0

    def check(self, what: str, holds: bool, detail: str = "") -> None:
        self.looked_at += 1
        self.failed += not holds
        click.echo(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {detail}" if detail and not holds else ""))

    def same(self, what: str, found: Any, expected: Any) -> None:
        self.check(what, found == expected, f"is {found}, expected {expected}")

    def note(self, what: str) -> None:
        click.echo(f"note {what}")


def encoded_arguments(code: Code, arguments: list[Any]) -> bytes:
    """As they follow the creation code in the transaction."""
    return bytes(encode([each["type"] for each in code.constructor], arguments))


def check_code(f: Findings, system: System, fresh: dict[str, Code]) -> None:
    """Compiled here, sent then, and on chain now: all the same."""
    for name, entry in system.record.code.items():
        code = fresh[entry["contract"]]
        click.echo(f"{name} ({code.name}) {system.record.contracts[name]}")
        click.echo(f"     creation {code.creation_hash}  runtime {code.runtime_hash}")
        f.same(f"{name}: creation code as recorded", code.creation_hash, entry["creationHash"])
        f.same(f"{name}: runtime code as recorded", code.runtime_hash, entry["runtimeHash"])
        on_chain = bytes(system.web3.eth.get_code(system.record.contracts[name]))
        f.same(f"{name}: code on chain as recorded", "0x" + keccak(on_chain).hex(), entry["codeHash"])
        is_ours = on_chain[: len(code.runtime)] == code.runtime
        f.check(f"{name}: code on chain as compiled", is_ours)
        if is_ours:
            check_immutables(f, name, code, entry["arguments"], on_chain[len(code.runtime) :])
        check_creation(f, system, name, code, entry)


def check_immutables(f: Findings, name: str, code: Code, arguments: list[Any], section: bytes) -> None:
    """Those that hold an argument of the constructor. The others follow from the creation, which is compared whole."""
    f.same(f"{name}: bytes of immutables", len(section), sum(each.length for each in code.immutables))
    held = {each.name.lower(): each for each in code.immutables}
    for each, value in zip(code.constructor, arguments, strict=True):
        immutable = held.get(ALIASES.get(each["name"], each["name"]).lower()) or held.get(f"orders.{each['name']}")
        if immutable is not None and immutable.length == 32:
            word = section[immutable.offset : immutable.offset + 32]
            f.check(f"{name}: immutable {immutable.name}", word == encode([each["type"]], [value]), "0x" + word.hex())


def check_creation(f: Findings, system: System, name: str, code: Code, entry: dict[str, Any]) -> None:
    """The transaction that created it sent this code and these arguments; so the immutables are what they must be."""
    try:
        sent = system.web3.eth.get_transaction(entry["transaction"])
        receipt = system.web3.eth.get_transaction_receipt(entry["transaction"])
    except Web3Exception:
        f.note(f"{name}: the node no longer has the transaction that created it")
        return
    f.same(f"{name}: created where recorded", receipt["contractAddress"], system.record.contracts[name])
    f.same(f"{name}: created in the recorded block", receipt["blockNumber"], entry["block"])
    expected = code.creation + encoded_arguments(code, entry["arguments"])
    f.check(f"{name}: created by this code and these arguments", bytes(sent["input"]) == expected)


def check_wiring(f: Findings, system: System) -> None:
    """The contracts know one another, and no others."""
    at, where = system.at, system.record.contracts
    exchange, vault = at("exchange"), at("vault")
    chain = [("exchange", exchange.DESK(), "desk"), ("desk", at("desk").OFFICE(), "office")]
    chain += [("office", at("office").EXIT(), "exit"), ("exchange", exchange.vault(), "vault")]
    chain += [("exchange", exchange.oracle(), "oracle"), ("vault", vault.exchange(), "exchange")]
    chain.append(("vault", vault.token(), "usdc"))
    for name, found, expected in chain:
        f.same(f"{name} refers to {expected}", found, where[expected])
    f.same("exchange refers to backstop", exchange.backstop(), where.get("backstop", NOBODY))
    if "backstop" in where:
        f.same("backstop refers to vault", at("backstop").vault(), where["vault"])
    window = system.record.data["settleWindow"]
    f.same("settle window", {at(each).SETTLE_WINDOW() for each in ("exchange",)}, {window})
    f.same("withdrawal delay", vault.withdrawal_delay(), system.record.data["withdrawalDelay"])


def check_ownership(f: Findings, system: System) -> None:
    governance, deployer = system.record.governance, system.record.data["deployer"]
    for name in system.owned():
        f.same(f"{name} is owned by governance", system.at(name).owner(), governance)
        f.same(f"{name} is offered to nobody", system.at(name).pending_owner(), NOBODY)
    if system.record.timelock is None:
        f.check("a timelock governs", bool(system.record.data["testNetwork"]))
        f.note(f"{governance} governs, without a timelock")
    if governance != deployer:
        for right in rights_of(system, deployer):
            what = f"the deployer {deployer} is {right}"
            if system.record.data["testNetwork"]:
                f.note(what)
            else:
                f.check(what, False)


def holders(system: System, name: str, event: str, who: str, allowed: str = "allowed") -> set[str]:
    """Who was let in and not put out again, by the events."""
    found: dict[str, bool] = {log["args"][who]: log["args"][allowed] for log in system.logs(name, event)}
    return {address for address, is_in in found.items() if is_in}


def check_roles(f: Findings, system: System) -> None:
    """Those of the record have them, and nobody else."""
    record = system.record
    operator = {record.data["operator"]}
    f.same("operators of exchange", holders(system, "exchange", "OperatorSet", "operator"), operator)
    f.same("cosigners of vault", holders(system, "vault", "CosignerSet", "cosigner"), operator)
    f.same("guardian of exchange", system.at("exchange").guardian(), record.data["guardian"])
    if record.code["oracle"]["contract"] == "OracleRouter":
        f.same("guardian of oracle", system.at("oracle").guardian(), record.data["guardian"])
    for name, entry in record.code.items():
        if entry["contract"] == "PushedOracle":
            f.same(f"signer of {name}", system.at(name).signer(), record.data["priceSigner"])


def check_timelock(f: Findings, system: System) -> None:
    timelock = system.at("timelock")
    least, delay = timelock.LEAST_DELAY(), timelock.get_minimum_delay()
    f.check("timelock: delay is not below the least", delay >= least)
    if system.record.data["testNetwork"]:
        f.note(f"timelock: delay {delay} s, never below {least} s")
    else:
        f.check("timelock: delay can never be below two days", least >= PRODUCTION_DELAY, f"{least} s")
    for each in ROLES:
        names = role(each)
        given = {
            log["args"]["account"] for log in system.logs("timelock", "RoleGranted") if log["args"]["role"] == names
        }
        found = sorted(address for address in given if timelock.hasRole(names, address))
        f.same(f"timelock: number of {each.lower()}s", timelock.holders(names), len(found))
        shown = ["anyone" if address == ANYONE else address for address in found]
        f.note(f"timelock: {each.lower()}s {', '.join(shown)}")
    f.check("timelock: its own administrator", timelock.hasRole(bytes(32), system.record.contracts["timelock"]))
    admins = {log["args"]["account"] for log in system.logs("timelock", "RoleGranted") if not any(log["args"]["role"])}
    others = {each for each in admins if timelock.hasRole(bytes(32), each)} - {system.record.contracts["timelock"]}
    f.same("timelock: no other administrator", others, set())
    for operation in operations(system).values():
        state = state_of(system, operation.id)
        if state in ("waiting", "ready"):
            for target, payload in zip(operation.targets, operation.payloads, strict=True):
                f.note(f"{state}: {described(system, target, payload)}")


def check_markets(f: Findings, system: System) -> None:
    """As recorded, within the bounds, and with prices to be had."""
    exchange, recorded = system.at("exchange"), {entry["id"]: entry for entry in system.record.data["markets"]}
    listed = [log["args"]["market"] for log in system.logs("exchange", "MarketListed")]
    f.same("markets", sorted(listed), sorted(recorded))
    is_router = system.record.code["oracle"]["contract"] == "OracleRouter"
    for id_ in listed:
        found = market_entry_on_chain(id_, exchange.market(id_))
        ticker = found["ticker"]
        expected = recorded.get(id_, {})
        changed = {key: (value, expected.get(key)) for key, value in found.items() if expected.get(key) != value}
        f.check(f"{ticker}: as recorded", not changed, f"(found, recorded) {changed}")
        bounds = (
            10_000 <= found["imfPpm"] <= MICRO,
            5_000 <= found["mmfPpm"] < found["imfPpm"],
            1_000 <= found["bandPpm"] <= 500_000,
            found["liquidationFloorPpm"] <= found["mmfPpm"],
            1 <= found["maxPriceAge"] <= 86_400,
            found["maxOpenInterest"] <= 2**46,
            found["sizeDecimals"] + found["priceDecimals"] == 6,
        )
        f.check(f"{ticker}: within bounds", all(bounds))
        if is_router:
            size_decimals, quorum, _, sources, _ = system.at("oracle").sources_of(id_)
            f.same(f"{ticker}: size decimals of the router", size_decimals, found["sizeDecimals"])
            f.check(f"{ticker}: has sources", 1 <= quorum <= len(sources))
            for source in sources:
                known = source.adapter in system.record.contracts.values()
                f.check(f"{ticker}: source {source.adapter} is ours", known)
        price, published_at = system.at("oracle").price(id_)
        age = system.now() - published_at
        if price == 0 or age > found["maxPriceAge"]:
            f.note(f"{ticker}: has no fresh price")


def check_limits(f: Findings, system: System) -> None:
    exchange, vault = system.at("exchange"), system.at("vault")
    hour_floor, hour_share, day_floor, day_share = vault.outflow_limits()
    f.check("vault: outflow caps are in force", hour_share <= MICRO and day_share <= MICRO)
    f.note(f"vault: {hour_floor // MICRO} USDC or {hour_share} ppm an hour, {day_floor // MICRO} or {day_share} a day")
    f.check("exchange: referrer share at most half", exchange.referrer_share() <= 500_000)


@click.command(cls=ConnectedProviderCommand)
@deployment_option
@click.option("--kept", is_flag=True, help="Take what was compiled here before from the same sources; much faster.")
def cli(provider: Any, path: Path, kept: bool) -> None:
    """Hold a deployment against its record and against freshly compiled code."""
    record = Record.load(path)
    f = Findings()
    f.same("chain", provider.chain_id, record.data["chainId"])
    for key, value in settings().items():
        if key == "sources":
            if value != record.data["compiler"][key]:
                f.note("contracts/ differs from what was deployed, if only in a file that is not part of it")
        else:
            f.same(f"{key} as recorded", value, record.data["compiler"].get(key))
    click.echo(f"compiling {len(record.code)} contracts")
    fresh = compiled([entry["contract"] for entry in record.code.values()] + list(EXCHANGE), fresh=not kept)
    system = System(record, provider)
    with readable("reading the deployment"):
        check_code(f, system, fresh)
        if f.failed == 0:
            check_wiring(f, system)
            check_ownership(f, system)
            check_roles(f, system)
            if record.timelock is not None:
                check_timelock(f, system)
            check_markets(f, system)
            check_limits(f, system)
        else:
            f.note("what is not our code cannot be asked: nothing else was looked at")
    if f.failed:
        raise click.ClickException(f"{f.failed} of {f.looked_at} checks failed")
    click.echo(f"verified: {f.looked_at} checks on {record.path}")
