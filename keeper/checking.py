# SPDX-License-Identifier: AGPL-3.0-only
"""What `ouro keeper check` finds out about a configuration that can be read."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from keeper.assembly import Assembly
from keeper.config import KeeperConfig
from ouro.units import SCALE, from_micro, plain

ENOUGH_WEI = 10**16
WEI_DECIMALS = 18


@dataclass(frozen=True)
class Finding:
    """A sentence, and whether it is one that keeps the keeper from its work."""

    text: str
    is_problem: bool = False


def check_venue(assembly: Assembly, config: KeeperConfig) -> list[Finding]:
    """The chain as the configuration reaches it. Raises `ChainError`, also for a head that is no ground to act on."""
    return list(_findings(assembly, config))


def _findings(assembly: Assembly, config: KeeperConfig) -> Iterator[Finding]:
    tools, address = assembly.tools, str(assembly.account.address)
    survey = tools.surveyor.survey()
    exchange = assembly.deployment.contracts.exchange
    yield Finding(f"exchange {exchange} on chain {assembly.deployment.chain_id}, block {survey.head.number}")
    yield Finding(
        f"{len(survey.health)} accounts with positions, {len(survey.liquidatable())} below maintenance margin"
    )
    for market in survey.markets.values():
        if not market.is_fresh:
            yield Finding(f"{market.ticker} has no fresh price: nobody can be liquidated in it now")
    balance = tools.chain.balance(address)
    money = plain(Decimal(balance).scaleb(-WEI_DECIMALS))
    if balance < ENOUGH_WEI and not config.dry_run:
        yield Finding(f"{address} holds {money} of the chain's coin: too little for gas", is_problem=True)
    else:
        yield Finding(f"{address} holds {money} of the chain's coin for gas")
    liquidation = config.bots.liquidation
    if liquidation is not None and liquidation.enabled:
        account = (address, liquidation.subaccount)
        margin = tools.surveyor.health([account], survey.head)[account].margin
        free = (margin.equity_scaled - margin.im_scaled) // SCALE
        text = f"subaccount {liquidation.subaccount} has {plain(from_micro(max(0, free)))} USDC of free margin"
        if free <= 0:
            yield Finding(f"{text}: what is taken over needs margin, so deposit first", not config.dry_run)
        else:
            yield Finding(text)
