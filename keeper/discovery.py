# SPDX-License-Identifier: AGPL-3.0-only
"""What a keeper must know of an exchange, from the chain alone: the Exchange's address leads to everything else."""

from dataclasses import replace

from eth_utils.address import to_checksum_address

from keeper.functions import ORACLE, SETTLE_WINDOW, TOKEN, VAULT, WITHDRAWAL_DELAY, Function
from keeper.ports import Chain, ChainError
from keeper.reading import ask
from ouro import events
from ouro.deployment import Contracts, Deployment
from ouro.ledger import Ledger

ZERO = "0x" + "00" * 20


def discover(chain: Chain, exchange: str, first_block: int = 0, *, blocks_per_request: int = 5_000) -> Deployment:
    """The deployment around an Exchange, as of the newest block. Raises `ChainError` when there is none.

    `first_block` is any block before the deployment: the nearer it is, the less there is to read.
    """
    head = chain.head()
    address = to_checksum_address(exchange)

    def one(where: str, function: Function) -> str:
        return str(ask(chain, [(where, function, ())], head)[0][0])

    vault, oracle = (to_checksum_address(one(address, function)) for function in (VAULT, ORACLE))
    contracts = Contracts(exchange=address, vault=vault, oracle=oracle, usdc=to_checksum_address(one(vault, TOKEN)))
    deployment = Deployment(
        chain_id=chain.chain_id(),
        start_block=first_block,
        settle_window=int(one(address, SETTLE_WINDOW)),
        withdrawal_delay=int(one(vault, WITHDRAWAL_DELAY)),
        operator=ZERO,
        price_signer=ZERO,
        contracts=contracts,
        markets=(),
    )
    ledger = Ledger()
    operator = ZERO
    started: int | None = None
    for first in range(first_block, head.number + 1, blocks_per_request):
        last = min(head.number, first + blocks_per_request - 1)
        for raw in chain.logs([address], first, last):
            event = events.decode_log(raw)
            if event is None:
                continue
            started = event.where.block_number if started is None else started
            if isinstance(event, events.OperatorSet) and event.allowed:
                operator = event.operator
            if isinstance(event, events.MarketListed | events.MarketChanged | events.MarginScaleSet):
                ledger.apply(event)
    if not ledger.markets:
        raise ChainError(f"the Exchange at {address} lists no market from block {first_block} on: begin earlier")
    return replace(
        deployment,
        markets=tuple(ledger.markets.values()),
        operator=operator,
        # Deposits cannot come before the first event of an Exchange that has its Vault.
        start_block=first_block if started is None else started,
    )
