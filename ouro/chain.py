# SPDX-License-Identifier: Apache-2.0
"""The trader's own transactions: deposits, withdrawals and on-chain cancels, none of which need the operator's consent.

    chain = Chain(client.config(), account)
    chain.deposit("1000")

Each method sends one transaction (a deposit sends an approval before it when the allowance is short), waits until it
is in a block and returns a `Sent`. Amounts are human USDC (`Decimal` or string) and exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3 import Web3
from web3.contract.contract import Contract, ContractFunction
from web3.exceptions import ContractLogicError, TimeExhausted, Web3Exception, Web3RPCError
from web3.logs import DISCARD
from web3.types import RPCEndpoint, TxReceipt

from ouro import abi
from ouro.client.config import ClientConfig
from ouro.client.errors import UnreachableError
from ouro.client.trading import Withdrawal, decimal_of
from ouro.errors import OuroError
from ouro.units import from_micro, plain, usdc

LOCAL_CHAIN_ID = 31_337
"""The chain id of the local stack, the only one with a faucet."""

FAUCET_NATIVE_WEI = 10 * 10**18
"""Native coin the faucet leaves an account with, for gas."""
GAS_MARGIN_PERCENT = 140

RECEIPT_TIMEOUT_S = 120.0


class TransactionError(OuroError):
    """The chain refused a transaction, or the node did before it was sent; the message holds the contract's reason."""


@dataclass(frozen=True)
class Sent:
    """A transaction that is in a block."""

    transaction_hash: str
    block_number: int
    receipt: TxReceipt


@dataclass(frozen=True)
class WithdrawalRequest:
    """A delayed withdrawal in the Vault's queue; `amount` is micro-USDC, `ready_at` when anyone may execute it."""

    id: int
    account: str
    subaccount: int
    amount: int
    to: str
    ready_at: datetime


class Chain:
    """Transactions of one account on the contracts of one exchange."""

    def __init__(self, config: ClientConfig, account: LocalAccount, *, rpc_url: str | None = None) -> None:
        """`rpc_url` is the account's own node; without it, the one the exchange announces."""
        self.config = config
        self.account = account
        self.rpc_url = rpc_url or config.rpc_url
        if not self.rpc_url:
            raise TransactionError("no node is known: the exchange announces none, so name one as rpc_url")
        self.web3 = Web3(Web3.HTTPProvider(self.rpc_url))
        self._checked = False

    @cached_property
    def vault(self) -> Contract:
        return self._contract("Vault", self.config.contracts.vault)

    @cached_property
    def exchange(self) -> Contract:
        return self._contract("Exchange", self.config.contracts.exchange)

    @cached_property
    def usdc(self) -> Contract:
        return self._contract("TestUSDC", self.config.contracts.usdc)

    def wallet_usdc(self) -> Decimal:
        """Tokens in the wallet, outside the exchange."""
        with self._node():
            return from_micro(self.usdc.functions.balanceOf(self.account.address).call())

    def deposit(self, amount: Decimal | str | int, *, subaccount: int = 0) -> Sent:
        """Move `amount` USDC from the wallet into a subaccount; approves the Vault first when needed."""
        micro = usdc(decimal_of(amount, "amount"))
        owner = self.account.address
        with self._node():
            held = self.usdc.functions.balanceOf(owner).call()
            if held < micro:
                raise TransactionError(
                    f"the wallet holds {plain(from_micro(held))} USDC, less than {plain(from_micro(micro))} to deposit"
                )
            allowed = self.usdc.functions.allowance(owner, self.vault.address).call()
        if allowed < micro:
            self._send(self.usdc.functions.approve(self.vault.address, micro))
        return self._send(self.vault.functions.deposit(owner, subaccount, micro))

    def request_withdrawal(
        self, amount: Decimal | str | int, *, subaccount: int = 0, to: str | None = None
    ) -> WithdrawalRequest:
        """Queue a delayed withdrawal; after the delay anyone may execute it."""
        recipient = self.account.address if to is None else to_checksum_address(to)
        micro = usdc(decimal_of(amount, "amount"))
        sent = self._send(self.vault.functions.request_withdrawal(subaccount, micro, recipient))
        [event] = self.vault.events.WithdrawalRequested().process_receipt(sent.receipt, errors=DISCARD)
        return self.withdrawal(int(event["args"]["id"]))

    def withdrawal(self, withdrawal_id: int) -> WithdrawalRequest:
        """A queued withdrawal. Raises `TransactionError` when there is none of that id, or it is done."""
        with self._node():
            account, subaccount, amount, to, ready_at = self.vault.functions.withdrawals(withdrawal_id).call()
        if not ready_at:
            raise TransactionError(f"no withdrawal {withdrawal_id} is waiting")
        return WithdrawalRequest(withdrawal_id, account, subaccount, amount, to, datetime.fromtimestamp(ready_at, UTC))

    def execute_withdrawal(self, withdrawal_id: int) -> Sent:
        """Pay out a queued withdrawal whose delay is over."""
        return self._send(self.vault.functions.execute_withdrawal(withdrawal_id))

    def cancel_withdrawal(self, withdrawal_id: int) -> Sent:
        """Take a queued withdrawal back."""
        return self._send(self.vault.functions.cancel_withdrawal(withdrawal_id))

    def withdraw_signed(self, withdrawal: Withdrawal, cosignature: str) -> Sent:
        """Pay out at once with the owner's signature and the operator's co-signature."""
        message = withdrawal.message()
        order = ("account", "subaccount", "amount", "to", "nonce", "deadline")
        arguments = tuple(message[name] for name in order)
        return self._send(
            self.vault.functions.withdraw_signed(arguments, HexBytes(withdrawal.signature), HexBytes(cosignature))
        )

    def cancel_slot(self, slot: int) -> Sent:
        """Cancel on chain whatever order of this key uses `slot`; in force one window later, for everyone."""
        return self._send(self.exchange.functions.cancel_slot(slot))

    def cancel_all(self, *, subaccount: int = 0) -> Sent:
        """Cancel on chain every order of a subaccount; in force one settlement window later, for everyone."""
        return self._send(self.exchange.functions.cancel_all(subaccount))

    def faucet(self, amount: Decimal | str | int) -> Sent:
        """Mint test USDC to the wallet and see that it can pay for gas. Only on the local chain."""
        if self.config.chain_id != LOCAL_CHAIN_ID:
            raise TransactionError(f"the faucet exists on the local chain only, this is chain {self.config.chain_id}")
        owner = self.account.address
        with self._node():
            if self.web3.eth.get_balance(owner) < FAUCET_NATIVE_WEI // 10:
                self.web3.provider.make_request(RPCEndpoint("anvil_setBalance"), [owner, hex(FAUCET_NATIVE_WEI)])
        return self._send(self.usdc.functions.mint(owner, usdc(decimal_of(amount, "amount"))))

    def _contract(self, name: str, address: str) -> Contract:
        return self.web3.eth.contract(address=to_checksum_address(address), abi=abi.load(name))

    def _send(self, function: ContractFunction) -> Sent:
        """Sign and send a call, and wait for its block. Raises `TransactionError` with the contract's reason."""
        with self._node():
            self._check_chain()
            account = self.account.address
            nonce = self.web3.eth.get_transaction_count(account, "pending")
            # web3 and eth-account type the same dictionary differently.
            transaction: Any = function.build_transaction({"from": account, "nonce": nonce})
            # A block later there may be funding to accrue, which costs more than when the node estimated.
            transaction["gas"] = transaction["gas"] * GAS_MARGIN_PERCENT // 100
            signed = self.account.sign_transaction(transaction)
            transaction_hash = self.web3.eth.send_raw_transaction(signed.raw_transaction)
            receipt = self.web3.eth.wait_for_transaction_receipt(transaction_hash, RECEIPT_TIMEOUT_S, 0.1)
        if not receipt["status"]:
            raise TransactionError(f"{function.fn_name} was undone by the contract in {transaction_hash.to_0x_hex()}")
        return Sent(transaction_hash.to_0x_hex(), receipt["blockNumber"], receipt)

    def _check_chain(self) -> None:
        """A node of another chain would take the transaction to contracts that are not there."""
        if not self._checked:
            chain_id = self.web3.eth.chain_id
            if chain_id != self.config.chain_id:
                raise TransactionError(
                    f"the node at {self.rpc_url} serves chain {chain_id}, the exchange is on {self.config.chain_id}"
                )
            self._checked = True

    @contextmanager
    def _node(self) -> Iterator[None]:
        """Say in our words what went wrong between us, the node and the contract."""
        try:
            yield
        except ContractLogicError as error:
            raise TransactionError(f"the contract refused: {_revert_reason(error)}") from error
        except Web3RPCError as error:
            raise TransactionError(f"the node refused: {_rpc_reason(error)}") from error
        except TimeExhausted as error:
            raise UnreachableError(f"the transaction is not in a block after {RECEIPT_TIMEOUT_S:.0f} s") from error
        except OSError as error:
            raise UnreachableError(f"cannot reach the node at {self.rpc_url}: {error}") from error
        except Web3Exception as error:
            raise TransactionError(f"the node at {self.rpc_url} answered unexpectedly: {error}") from error


def _revert_reason(error: ContractLogicError) -> str:
    text = (error.message or str(error)).removeprefix("execution reverted").strip(" :,")
    return text or "it gave no reason"


def _rpc_reason(error: Web3RPCError) -> str:
    detail: Any = (error.rpc_response or {}).get("error")
    return str(detail["message"]) if isinstance(detail, dict) and "message" in detail else str(error)
