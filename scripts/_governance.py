# SPDX-License-Identifier: AGPL-3.0-only
"""How governance acts: by an operation of the timelock, or at once where a person governs a local chain.

A call that needs notice is announced first. The announcement and the call itself are then two operations, proposed
together; the second waits as long as the notice.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from ape.api import AccountAPI
from eth_utils.crypto import keccak

from scripts._chain import NEXT, System, readable, send
from scripts._parameters import DAY
from scripts._record import Record, market_entry_on_chain

NOTICE = 14 * DAY
NONE = bytes(32)
# How long a proposal may wait for a multisig's signatures. The timelock allows a week.
PROPOSAL_LIFE = 3 * DAY
STATES = ("unknown", "waiting", "ready", "done", "expired")
ROLES = ("PROPOSER", "EXECUTOR", "CANCELLER")
NEED_NOTICE = ("no notice", "notice too young", "notice expired")

dry_run_option = click.option("--dry-run", is_flag=True, help="Print the transaction, send nothing.")


def role(name: str) -> bytes:
    return bytes(keccak(text=f"{name}_ROLE"))


@dataclass(frozen=True)
class Call:
    """One call that governance is to make: of which contract of the record, and what.

    It is tried first, unless it can succeed only after another one of the same operation.
    """

    contract: str
    function: str
    arguments: tuple[Any, ...]
    tried: bool = True

    def __str__(self) -> str:
        return f"{self.contract}.{self.function}({', '.join(_shown(each) for each in self.arguments)})"


@dataclass(frozen=True)
class Operation:
    """As the timelock's events tell it."""

    id: bytes
    targets: list[str]
    payloads: list[bytes]
    predecessor: bytes
    salt: bytes

    @property
    def words(self) -> tuple[list[str], list[bytes], bytes, bytes]:
        return self.targets, self.payloads, self.predecessor, self.salt


class Governance:
    """What owns a deployment's contracts, and the account that acts for it (or only prints what it would send)."""

    def __init__(self, system: System, account: AccountAPI, dry_run: bool = False):
        self.system, self.account, self.dry_run = system, account, dry_run

    def propose(self, calls: Sequence[Call], *, salt: bytes | None = None) -> list[bytes]:
        """The ids of the proposed operations; none if the calls were made at once. Raises `ClickException`."""
        payloads = [self._payload(call) for call in calls]
        problems = [self._problem(*each) for each in zip(calls, payloads, strict=True)]
        noticed = [problem in NEED_NOTICE for problem in problems]
        for call, problem in zip(calls, problems, strict=True):
            click.echo(f"  {call}" + (f"  (needs 14 days of notice: {problem})" if problem in NEED_NOTICE else ""))
            if problem is not None and problem not in NEED_NOTICE:
                raise click.ClickException(f"{call} would fail: {problem}")
        if self.system.record.timelock is None:
            self._at_once(calls, payloads, noticed)
            return []
        salt = secrets.token_bytes(32) if salt is None else salt
        delay = int(self.system.at("timelock").get_minimum_delay())
        targets = [self.system.record.contracts[call.contract] for call in calls]
        if not any(noticed):
            return [self._schedule(targets, payloads, NONE, salt, delay)]
        first = [(t, p) for t, p, needed in zip(targets, payloads, noticed, strict=True) if needed]
        announcements = [
            self.system.at(self.system.record.name_of(target)).announce.encode_input(payload)
            for target, payload in first
        ]
        announced = self._schedule([target for target, _ in first], announcements, NONE, salt, delay)
        return [announced, self._schedule(targets, payloads, announced, salt, delay + NOTICE)]

    def execute(self, operation: Operation) -> None:
        """Raises `ClickException` unless the operation is ready."""
        timelock = self.system.at("timelock")
        state = state_of(self.system, operation.id)
        if state == "waiting":
            left = int(timelock.get_timestamp(operation.id)) - self.system.now()
            raise click.ClickException(f"operation 0x{operation.id.hex()} is ready in {in_words(left)}")
        if state != "ready":
            raise click.ClickException(f"operation 0x{operation.id.hex()} is {state}")
        self._call("execute", *operation.words)

    def cancel(self, id_: bytes) -> None:
        self._call("cancel", id_)

    def _payload(self, call: Call) -> bytes:
        contract = self.system.at(call.contract)
        handler = getattr(contract, call.function, None)
        if handler is None or not hasattr(handler, "encode_input"):
            raise click.ClickException(f"{call.contract} has no function {call.function}")
        with readable(f"encoding {call}"):
            return bytes(handler.encode_input(*call.arguments))

    def _problem(self, call: Call, payload: bytes) -> str | None:
        if not call.tried:
            return None
        sender, target = self.system.record.governance, self.system.record.contracts[call.contract]
        problem = self.system.simulate(sender, target, payload)
        if problem not in NEED_NOTICE:
            return problem
        # what would fail even with notice is not announced
        return self.system.simulate(sender, target, payload, self.system.noticed(call.contract, payload)) or problem

    def _at_once(self, calls: Sequence[Call], payloads: Sequence[bytes], noticed: Sequence[bool]) -> None:
        for call, payload, needed in zip(calls, payloads, noticed, strict=True):
            contract = self.system.at(call.contract)
            if self.dry_run:
                click.echo(f"to   {contract.address}\ndata 0x{payload.hex()}")
            elif needed:
                ready_at = int(contract.notice_ready_at(keccak(payload)))
                now = self.system.now()
                if ready_at > now:
                    raise click.ClickException(f"{call} is announced; it can be made in {in_words(ready_at - now)}")
                send(contract, "announce", payload, sender=self.account)
                click.echo(f"announced: run this again in {in_words(NOTICE)}")
            else:
                send(contract, call.function, *call.arguments, sender=self.account)
                click.echo(f"made {call}")

    def _schedule(
        self, targets: list[str], payloads: list[bytes], predecessor: bytes, salt: bytes, delay: int
    ) -> bytes:
        timelock = self.system.at("timelock")
        id_ = bytes(timelock.hash_operation(targets, payloads, predecessor, salt))
        until = self.system.now() + PROPOSAL_LIFE
        self._call("schedule", targets, payloads, predecessor, salt, delay, until)
        verb = "would be" if self.dry_run else "is"
        click.echo(f"operation 0x{id_.hex()} {verb} ready in {in_words(delay)}, for 14 days")
        return id_

    def _call(self, function: str, *arguments: Any) -> None:
        """Of the timelock; on a dry run only shown, for a multisig to send."""
        timelock = self.system.at("timelock")
        needed = {"schedule": "PROPOSER", "execute": "EXECUTOR", "cancel": "CANCELLER"}[function]
        if self.dry_run:
            data = getattr(timelock, function).encode_input(*arguments)
            click.echo(f"to   {timelock.address}\ndata 0x{bytes(data).hex()}")
            return
        anyone = needed == "EXECUTOR" and timelock.hasRole(role(needed), "0x" + "00" * 20)
        if not anyone and not timelock.hasRole(role(needed), self.account.address):
            raise click.ClickException(
                f"{self.account.address} is no {needed.lower()} of the timelock. "
                "--dry-run prints the transaction for whoever is: a multisig, for example"
            )
        send(timelock, function, *arguments, sender=self.account)


def state_of(system: System, id_: bytes) -> str:
    """Of an operation, as of the next block."""
    return STATES[system.at("timelock").state_of(id_, block_id=NEXT)]


def operations(system: System) -> dict[bytes, Operation]:
    """Everything that was ever proposed, by id, in order."""
    found: dict[bytes, Operation] = {}
    salts = {bytes(log["args"]["id"]): bytes(log["args"]["salt"]) for log in system.logs("timelock", "CallSalt")}
    for log in system.logs("timelock", "CallScheduled"):
        args = log["args"]
        id_ = bytes(args["id"])
        # proposed again after it was cancelled, the same calls begin anew
        if args["index"] == 0:
            found[id_] = Operation(id_, [], [], bytes(args["predecessor"]), salts[id_])
        found[id_].targets.append(args["target"])
        found[id_].payloads.append(bytes(args["payload"]))
    return found


def system_of(path: Path, provider: Any) -> System:
    system = System(Record.load(path), provider)
    if system.record.timelock is None:
        raise click.ClickException("no timelock governs this deployment")
    return system


def pick(system: System, id_: str) -> Operation:
    """The operation of this id; a beginning of it will do if only one has it."""
    wanted = id_.lower().removeprefix("0x")
    found = [each for each in operations(system).values() if wanted and each.id.hex().startswith(wanted)]
    if len(found) != 1:
        raise click.ClickException(f"{len(found)} operations have an id that begins with {id_}")
    return found[0]


def refresh(system: System) -> None:
    """Writes into the record what an operation may have changed: the markets, and who is guardian."""
    exchange = system.at("exchange")
    ids = dict.fromkeys(log["args"]["market"] for log in system.logs("exchange", "MarketListed"))
    system.record.data["markets"] = [market_entry_on_chain(id_, exchange.market(id_)) for id_ in ids]
    system.record.data["guardian"] = exchange.guardian()
    system.record.save()


def described(system: System, target: str, payload: bytes) -> str:
    """A call in words, as far as the record knows its target."""
    name = system.record.name_of(target)
    if name == target:
        return f"{target} 0x{payload.hex()}"
    try:
        selector, arguments = system.at(name).decode_input(payload)
    except (ValueError, KeyError, AttributeError, IndexError):
        return f"{name} 0x{payload.hex()}"
    inner = arguments.get("call") if selector.startswith("announce(") else None
    if inner is not None:
        return f"{name}.announce: {described(system, target, bytes(inner))}"
    shown = ", ".join(f"{key}={_shown(value)}" for key, value in arguments.items())
    return f"{name}.{selector.split('(')[0]}({shown})"


def rights_of(system: System, address: str) -> Iterator[str]:
    """Every right that an address has on the contracts of a deployment."""
    for name in system.owned():
        contract = system.at(name)
        if contract.owner() == address:
            yield f"owner of {name}"
        if contract.pending_owner() == address:
            yield f"offered the ownership of {name}"
    exchange = system.at("exchange")
    if exchange.guardian() == address:
        yield "guardian of exchange"
    if exchange.is_operator(address):
        yield "operator of exchange"
    if system.at("vault").is_cosigner(address):
        yield "cosigner of vault"
    if system.record.code["oracle"]["contract"] == "OracleRouter" and system.at("oracle").guardian() == address:
        yield "guardian of oracle"
    for name, entry in system.record.code.items():
        if entry["contract"] == "PushedOracle" and system.at(name).signer() == address:
            yield f"signer of {name}"
    if "timelock" in system.record.contracts:
        for each in ROLES:
            if system.at("timelock").hasRole(role(each), address):
                yield f"{each.lower()} of timelock"


def in_words(seconds: int) -> str:
    for unit, length in (("day", DAY), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count, rest = divmod(seconds, length)
            tail = f" {in_words(rest)}" if rest and unit != "minute" else ""
            return f"{count} {unit}{'s' if count > 1 else ''}{tail}"
    return "1 second" if seconds == 1 else f"{max(seconds, 0)} seconds"


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_shown(each) for each in value) + "]"
    return str(value)
