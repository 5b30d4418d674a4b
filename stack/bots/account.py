# SPDX-License-Identifier: AGPL-3.0-only
"""A bot's own account: its client, its money, its view of the market."""

import logging
from decimal import Decimal

from ouro.client import NotFoundError, OuroClient
from ouro.client.config import ClientConfig
from ouro.markets import Market
from stack.wallets import Role, wallet

log = logging.getLogger("bot")


class BotAccount:
    """One wallet trading on subaccount 0."""

    def __init__(self, base_url: str, role: Role) -> None:
        self.account = wallet(role)
        self.client = OuroClient(base_url, self.account)
        self.config: ClientConfig = self.client.config()

    def market(self, ticker: str) -> Market:
        return self.config.market(ticker)

    def index(self, ticker: str) -> int | None:
        """The index price in price units; None before the first one is known."""
        price = self.client.markets.get(ticker).oracle_price
        return None if price is None else self.market(ticker).price_units(price)

    def equity(self) -> Decimal:
        """Equity in USDC, 0 before the first deposit."""
        try:
            return self.client.account.subaccount().equity
        except NotFoundError:
            return Decimal(0)

    def position(self, ticker: str) -> int:
        """Signed lots held in a market."""
        try:
            held = self.client.account.subaccount().open_perpetual_positions.get(ticker)
        except NotFoundError:
            return 0
        return 0 if held is None else self.market(ticker).lots(held.size)

    def fund(self, target: Decimal) -> bool:
        """Bring the equity up to `target` USDC with money from the local faucet when it is below half of it."""
        missing = target - self.equity()
        if missing * 2 <= target:
            return False
        amount = missing.quantize(Decimal(1))
        self.client.chain.faucet(amount)
        sent = self.client.chain.deposit(amount)
        log.info("deposited %s USDC in block %d", amount, sent.block_number)
        return True
