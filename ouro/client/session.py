# SPDX-License-Identifier: Apache-2.0
"""What a client knows between calls: who signs, for which account, where, and the slots it drew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eth_account.signers.local import LocalAccount

from ouro import addresses, eip712
from ouro.client.calls import Call, Flow, Work
from ouro.client.clock import PROCESS_CLOCK, MillisecondClock, SlotPicker
from ouro.client.config import ClientConfig
from ouro.client.errors import NoAccountError, UnreachableError, WrongNetworkError
from ouro.client.networks import LOCAL, Network
from ouro.client.signers import LocalSigner, Signer, TypedMessage, checked_message, checked_transaction
from ouro.deployment import Contracts, Deployment, DeploymentError
from ouro.markets import Market
from ouro.orders import Order
from ouro.reading import ReadProof

REVISIONS_KEPT = 4_096


def signer_of(signer: Signer | LocalAccount | None) -> Signer | None:
    """An account of eth-account as the local key that it is."""
    return LocalSigner(signer) if isinstance(signer, LocalAccount) else signer


@dataclass
class Session:
    """State shared by the flows of one client. `owner` is whose account it trades: the signer's own, or that which has
    made the signer a session key.
    """

    signer: Signer | None = None
    owner: str | None = None
    network: Network = LOCAL
    known_config: ClientConfig | None = None
    strict: bool = False
    slots: SlotPicker = field(default_factory=SlotPicker)
    clock: MillisecondClock = PROCESS_CLOCK
    node_checked: bool = False
    proof: ReadProof | None = None
    key_ends_at: int | None = None
    """When the signer ends, if it is a session key: seconds since 1970; None: not asked yet, 0: nobody tells."""
    _used: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.owner is not None:
            try:
                self.owner = addresses.parse(self.owner)
            except ValueError as error:
                raise ValueError(f"owner {error}") from None

    def config(self) -> Flow[ClientConfig]:
        """The exchange's configuration, asked for once. Raises `WrongNetworkError` when it is not the preset's."""
        if self.known_config is None:
            record: dict[str, Any] = yield Call("GET", "/v4/config", dict[str, Any])
            try:
                config = ClientConfig.from_record(record)
            except DeploymentError as error:
                raise UnreachableError(f"the configuration that the exchange announces is unusable: {error}") from error
            _check(self.network, config)
            self.known_config = config
        return self.known_config

    @property
    def address(self) -> str:
        """The account's checksummed address. Raises `NoAccountError` when there is none."""
        return self.owner if self.owner is not None else self.require_signer().address

    def address_or(self, address: str | None) -> str:
        return self.address if address is None else address

    @property
    def is_by_key(self) -> bool:
        """Whether a session key signs for the owner."""
        return self.owner is not None and self.signer is not None and self.owner != self.signer.address

    def require_signer(self) -> Signer:
        """Raises `NoAccountError` when there is none."""
        if self.signer is None:
            raise NoAccountError("this call needs a signer: pass signer= to the client")
        return self.signer

    def next_revision(self, order: Order) -> int:
        """What the next amend of an order signs: above it, and above amends of it that were refused."""
        return max(order.revision, self._used.get((order.slot, order.generation), 0)) + 1

    def use_revision(self, order: Order, revision: int) -> None:
        """Notes that an amend of the order was refused: its revision, and those below, are used up."""
        name = (order.slot, order.generation)
        self._used[name] = max(revision, self._used.pop(name, 0))
        if len(self._used) > REVISIONS_KEPT:
            del self._used[next(iter(self._used))]

    def sign(self, domain: eip712.Domain, primary_type: str, message: Mapping[str, Any]) -> Flow[str]:
        """The 65-byte EIP-712 signature of `message` as 0x hex. Raises `SignerError`."""
        return (yield from self._sign(TypedMessage.of(domain, primary_type, message)))

    def sign_order(self, domain: eip712.Domain, order: Order) -> Flow[tuple[str, str]]:
        """The order's signature and its id, both 0x hex. Raises `SignerError`."""
        digest = eip712.order_digest(domain, order)
        signature = yield from self._sign(TypedMessage(domain, "Order", order.message(), digest))
        return signature, "0x" + digest.hex()

    def sign_transaction(self, transaction: Mapping[str, Any]) -> Flow[bytes]:
        """The raw signed transaction. Raises `SignerError`."""
        signer = self.require_signer()
        raw: bytes = yield Work(lambda: checked_transaction(signer, transaction), isinstance(signer, LocalSigner))
        return raw

    def _sign(self, message: TypedMessage) -> Flow[str]:
        signer = self.require_signer()
        signature: str = yield Work(lambda: checked_message(signer, message), isinstance(signer, LocalSigner))
        return signature


def _check(network: Network, config: ClientConfig) -> None:
    if network.chain_id is not None and network.chain_id != config.chain_id:
        raise WrongNetworkError(
            f"the exchange at {network.url} is on chain {config.chain_id}, not on {network.chain_id}: nothing is signed"
        )
    if network.exchange and network.exchange.lower() != config.contracts.exchange.lower():
        raise WrongNetworkError(
            f"the exchange at {network.url} announces the contract {config.contracts.exchange}, not "
            f"{network.exchange}: nothing is signed"
        )
    if network.deployment is not None:
        differs = _differences(network.deployment, config.deployment)
        if differs:
            raise WrongNetworkError(
                f"the exchange at {network.url} announces another {differs[0]} than the deployment record: nothing is "
                "signed"
            )


def _differences(known: Deployment, told: Deployment) -> list[str]:
    """What decides where signatures and money go, and how much a lot is."""
    pairs: dict[str, tuple[Any, Any]] = {"chain": (known.chain_id, told.chain_id)}
    pairs |= {name: (getattr(known.contracts, name), getattr(told.contracts, name)) for name in Contracts.__slots__}
    announced = {market.ticker: market for market in told.markets}
    for market in known.markets:
        if market.ticker in announced:
            pairs[market.ticker] = (_units(market), _units(announced[market.ticker]))
    return [name for name, (mine, its) in pairs.items() if mine != its]


def _units(market: Market) -> tuple[int, int, int]:
    return market.id, market.size_decimals, market.price_decimals
