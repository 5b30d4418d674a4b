# SPDX-License-Identifier: AGPL-3.0-only
"""Events kept as they are: no table of their own holds what they say, or not who said it and when."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from indexer.store import schema
from indexer.views.block import Block, fact, hex_of
from indexer.views.rows import Rows
from ouro import events
from ouro.events import Event

NOTED: Final[frozenset[type[Event]]] = frozenset(
    {
        # Exchange: markets, roles, keys, rules
        events.MarketListed,
        events.MarketChanged,
        events.MarginScaleSet,
        events.SettlingBegun,
        events.SettlementFixed,
        events.OperatorSet,
        events.GuardianSet,
        events.OracleSet,
        events.BackstopSet,
        events.SessionKeyRegistered,
        events.SessionKeyRevoked,
        events.ReferrerRegistered,
        events.ReferrerShareSet,
        events.ReferralAccrued,
        events.FeeTiersSet,
        events.CloseRequested,
        events.Announced,
        events.NoticeWithdrawn,
        # Vault
        events.Donated,
        events.WithdrawalRequested,
        events.WithdrawalCancelled,
        events.WithdrawalApproved,
        events.RulesSet,
        events.QueueStretched,
        events.OutflowLimitsSet,
        events.CosignerSet,
        # Whatever says prices
        events.SignerSet,
        events.SourcesSet,
        events.SourceDisabled,
        events.SourceEnabled,
        # Backstop
        events.RedeemRequested,
        events.RedeemReturned,
        events.IncomeBooked,
        events.LossBooked,
        events.Ruined,
        events.Revived,
        events.WrittenOff,
        events.Deposit,
        events.Withdraw,
        events.Transfer,
        events.Approval,
        events.RoleMinterChanged,
        # Timelock
        events.RoleGranted,
        events.RoleRevoked,
        events.MinimumDelayChange,
        events.CallScheduled,
        events.CallSalt,
        events.CallExecuted,
        events.Cancelled,
        # Whatever has an owner
        events.OwnershipTransferStarted,
        events.OwnershipTransferred,
    }
)

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_NOBODY: Final = "0x" + "0" * 40

NAMING: Final = (events.OracleSet, events.BackstopSet)
"""Events whose only argument is a contract to follow from then on."""


def noted(rows: Rows, block: Block, event: Event) -> None:
    """Keep an event with its arguments as JSON: numbers as text, bytes as hex."""
    arguments = {name: _plain(getattr(event, name)) for name in event.__struct_fields__ if name != "where"}
    rows.add(
        schema.contract_events,
        fact(
            block,
            event,
            address=event.where.address,
            name=type(event).__name__,
            arguments=json.dumps(arguments, separators=(",", ":")),
        ),
    )
    for account in sorted(set(_accounts(arguments))):
        rows.add(
            schema.event_accounts,
            {"block_number": block.number, "log_index": event.where.log_index, "account": account},
        )


def _accounts(value: Any) -> Iterator[str]:
    """The addresses among arguments; nothing else is text of their form."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _accounts(item)
    elif isinstance(value, str) and _ADDRESS.fullmatch(value) and value != _NOBODY:
        yield value


def _plain(value: Any) -> Any:
    match value:
        case bool() | str():
            return value
        case int():
            return str(value)
        case bytes():
            return hex_of(value)
        case tuple() | list():
            return [_plain(item) for item in value]
        case msgspec.Struct():
            return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    raise TypeError(f"no JSON for {value!r}")
