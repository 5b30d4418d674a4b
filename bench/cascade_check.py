# SPDX-License-Identifier: AGPL-3.0-only
"""What must hold of an exchange after a cascade, whatever happened in it: read from the chain at one block."""

from bench.cascade_venue import MARKETS, MICRO, CascadeVenue
from keeper.functions import CASH, OPEN_INTEREST
from keeper.reading import ask
from keeper.survey import Survey, Surveyor
from keeper.watch import Account
from ouro import events
from ouro.units import SCALE

MOST_DUST = MICRO
"""What rounding may leave in the Vault beyond all claims."""


class CascadeError(AssertionError):
    """An invariant that does not hold, or accounts that nobody cleared."""


def money(venue: CascadeVenue, surveyor: Surveyor, survey: Survey) -> None:
    """The Vault holds all claims, and beyond them no more than rounding leaves."""
    accounts = sorted(surveyor.watch.ledger.accounts)
    owed = sum(each.margin.equity_scaled for each in surveyor.health(accounts, survey.head).values())
    owed += (survey.insurance + int(venue.system.exchange.call.fees())) * SCALE
    held = int(venue.system.usdc.call.balanceOf(venue.system.vault.address)) * SCALE
    if not 0 <= held - owed < MOST_DUST * SCALE:
        raise CascadeError(f"the Vault holds {(held - owed) / SCALE:.0f} micro-USDC more than is owed")


def open_interest(_venue: CascadeVenue, surveyor: Surveyor, survey: Survey) -> None:
    """In each market as many lots are long as short, and that is what the contract says."""
    watch = surveyor.watch
    ids = list(MARKETS.values())
    said = ask(surveyor.chain, [(surveyor.exchange, OPEN_INTEREST, (id_,)) for id_ in ids], survey.head)
    for id_, [lots] in zip(ids, said, strict=True):
        held = [watch.lots_of(account, id_) for account in watch.holders()]
        if not sum(size for size in held if size > 0) == -sum(size for size in held if size < 0) == lots:
            raise CascadeError(f"market {id_}: {lots} lots of open interest, positions add up to {sum(held)}")


def insurance(venue: CascadeVenue, surveyor: Surveyor, survey: Survey) -> None:
    """The fund is what went in less what went out."""
    moved = sum(event.delta for event in venue.happened() if isinstance(event, events.InsuranceChanged))
    if not moved == surveyor.watch.ledger.insurance == survey.insurance >= 0:
        raise CascadeError(f"the fund holds {survey.insurance}, its events add up to {moved}")


def health(_venue: CascadeVenue, surveyor: Surveyor, survey: Survey) -> None:
    """Nobody with a position is below maintenance, nobody without one owes anything."""
    if survey.liquidatable():
        raise CascadeError(f"{len(survey.liquidatable())} accounts are still below maintenance margin")
    if surveyor.watch.debtors():
        raise CascadeError(f"{len(surveyor.watch.debtors())} accounts are left with a debt")


def ledger(_venue: CascadeVenue, surveyor: Surveyor, survey: Survey) -> None:
    """The events alone say what the contract holds: every position and every cash."""
    watch = surveyor.watch
    accounts: list[Account] = sorted(watch.ledger.accounts)
    stored = surveyor.positions(accounts, survey.head)
    cash = ask(surveyor.chain, [(surveyor.exchange, CASH, account) for account in accounts], survey.head)
    for account, [amount] in zip(accounts, cash, strict=True):
        known = watch.ledger.accounts[account]
        words = {id_: word for id_, word in known.positions.items() if word.size}
        if amount != known.cash or stored.get(account, {}) != words:
            raise CascadeError(f"{account}: the chain has {amount} and {stored.get(account)}, the events {known}")


INVARIANTS = {
    "money": money,
    "open interest": open_interest,
    "insurance": insurance,
    "health": health,
    "ledger": ledger,
}


def check(venue: CascadeVenue) -> None:
    """All of them. Raises `CascadeError`."""
    with venue.reading() as chain:
        surveyor = Surveyor(chain, venue.deployment)
        survey = surveyor.survey()
        for invariant in INVARIANTS.values():
            invariant(venue, surveyor, survey)
