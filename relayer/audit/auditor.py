# SPDX-License-Identifier: AGPL-3.0-only
"""One pass over a journal, asking everything at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from ouro import events
from ouro.deployment import Deployment
from ouro.eip712 import Domain
from ouro.receipts import Receipt
from relayer.audit.batches import Batches
from relayer.audit.errors import AuditError
from relayer.audit.history import History
from relayer.audit.node import Node
from relayer.audit.observed import Observations
from relayer.audit.orders import Signatures
from relayer.audit.receipts import ReceiptBook
from relayer.audit.replay import CORES, Cores, Replay, config_of
from relayer.audit.report import Report
from relayer.audit.settled import Settlement
from relayer.audit.source import Damage, ReadGroup, Source
from relayer.core import CoreConfig
from relayer.core import inputs as core_inputs
from relayer.core.inputs import AnyCancel, BatchBuilt, ChainBlock, ChainRevert, Place, ReserveWithdrawal
from relayer.journal import Snapshots
from relayer.journal.format import Identity, Mark, SegmentHeader

Progress = Callable[[int], None]


class Auditor:
    """Holds what the questions share. `run` once."""

    def __init__(
        self,
        source: Source,
        node: Node,
        *,
        deployment: Deployment | None = None,
        receipts: Sequence[Receipt] = (),
        receipt_signer: str = "",
        snapshots: Snapshots | None = None,
        cores: Cores = CORES,
        progress: Progress = lambda _: None,
    ) -> None:
        """Without a `deployment` the journal's word is taken for which exchange it is of. Heads are signed by
        `receipt_signer`, or by the operator. `snapshots` serve a journal whose beginning was removed.
        """
        self._source = source
        self._node = node
        self._deployment = deployment
        self._receipts = receipts
        self._receipt_signer = receipt_signer
        self._progress = progress
        self.report = Report()
        self._history = History(self.report)
        self._signatures = Signatures(self.report)
        self._replay = Replay(self.report, cores, snapshots)
        self._config: CoreConfig | None = None
        self._header: SegmentHeader | None = None
        self._tickers: dict[int, str] = {}
        self._parts: _Parts | None = None
        self._hidden = 0

    def run(self) -> Report:
        """The finished report. Raises AuditError when something cannot be read at all."""
        # What is on chain by now must be in a journal that is read from now on, even if its relayer goes on meanwhile.
        newest = int(self._node.call("eth_blockNumber"), 16)
        for segment in self._source.segments():
            self._begin(segment.header)
            for group in segment.groups():
                if isinstance(group, Damage):
                    self.report.wrong(
                        self._history.next_seq, "can it be read?", "a group of records", f"{group.what} ({group.where})"
                    )
                else:
                    self._group(group)
        parts = self._parts
        if parts is None:
            raise AuditError("the journal has no segment")
        parts.observations.end()
        last = self._history.next_seq - 1
        self._behind_the_end(parts, last, newest)
        parts.receipts.end(last)
        self._conclude(parts, last)
        return self.report

    def _begin(self, header: SegmentHeader) -> None:
        known = self._history.identity
        is_new = header.identity != known
        self._history.begin(header)
        if is_new:
            self._meet(header.identity, header)
        self._replay.begin(header, self._config, is_new=is_new and known is not None)
        self._header = header
        self._adopt()

    def _adopt(self) -> None:
        """Where the beginning is gone, a snapshot may give the core its state."""
        if self._header is not None and self.report.first_seq > 1:
            mark = Mark(self._history.next_seq - 1, self._history.head)
            self._replay.adopt(mark, self._header, self._config)

    def _meet(self, identity: Identity, header: SegmentHeader) -> None:
        """Another identity: at the journal's beginning, and after an upgrade."""
        config = self._config = config_of(header)
        told = self._deployment
        if told is not None:
            expected = (told.chain_id, told.contracts.exchange)
            if (identity.chain_id, identity.contract) != expected:
                raise AuditError(
                    f"the journal is of exchange {identity.contract} on chain {identity.chain_id}, "
                    f"the deployment of {expected[1]} on chain {expected[0]}"
                )
        chain_id = int(self._node.call("eth_chainId"), 16)
        if chain_id != identity.chain_id:
            raise AuditError(f"the journal is of chain {identity.chain_id}, the node of chain {chain_id}")
        if config is not None:
            self._tickers |= {market.id: market.ticker for market in config.markets}
            self._agree(header.first_seq, config)
        if self._parts is not None:
            return
        operator, exchange, addresses = self._addresses(config, identity)
        domain = Domain(identity.chain_id, exchange)
        settlement = Settlement(self.report, self._history, operator, self._tickers)
        start_block = told.start_block if told is not None and header.first_seq == 1 else None
        self._parts = _Parts(
            operator,
            domain,
            Domain(identity.chain_id, addresses[1]),
            Observations(self.report, self._node, addresses, start_block),
            settlement,
            Batches(self.report, settlement, operator=operator, domain=domain, tickers=self._tickers),
            ReceiptBook(self.report, self._receipts, self._receipt_signer or operator, domain),
        )
        self.report.about = (
            f"exchange {exchange} on chain {identity.chain_id}, operator {operator}, "
            f"core version {identity.core_version}, epoch {identity.epoch}"
        )

    def _agree(self, seq: int, config: CoreConfig) -> None:
        """The configuration in the header must be of the deployment that the auditor knows."""
        told = self._deployment
        if told is None:
            return
        contracts = told.contracts
        expected = (contracts.exchange, contracts.vault, contracts.oracle, told.operator)
        found = (config.exchange, config.vault, config.oracle, config.operator)
        if expected != found:
            self.report.wrong(
                seq, "is it configured for the deployment's contracts and operator?", str(expected), str(found)
            )

    def _addresses(self, config: CoreConfig | None, identity: Identity) -> tuple[str, str, list[str]]:
        told = self._deployment
        if told is not None:
            contracts = told.contracts
            return told.operator, contracts.exchange, [contracts.exchange, contracts.vault, contracts.oracle]
        if config is None:
            raise AuditError(
                f"the configuration of core version {identity.core_version} cannot be read: name the --deployment"
            )
        return config.operator, config.exchange, [config.exchange, config.vault, config.oracle]

    def _group(self, group: ReadGroup) -> None:
        parts = self._parts
        assert parts is not None
        # A batch names a head that was on disk before it: the group's own head comes after its records.
        for at, record in enumerate(group.records):
            if record is None:
                self._hidden += 1
                self._replay.hidden(group.first_seq + at)
            else:
                self._record(parts, group.first_seq + at, record)
        self._history.take(group)
        self._replay.end(group)
        self._adopt()
        parts.receipts.take(group, self._history.head)
        self.report.records += len(group.leaves)
        self.report.groups += 1
        self._progress(group.last_seq)

    def _record(self, parts: _Parts, seq: int, record: bytes) -> None:
        try:
            item = core_inputs.decode(record)
        except msgspec.DecodeError as error:
            if self._replay.core is not None:
                self.report.wrong(seq, "is it a record?", "an input of the core", str(error))
            return
        decoded: list[events.Event] = []
        if isinstance(item, Place):
            self._signatures.check(seq, item, parts.domain, self._tickers)
        elif isinstance(item, AnyCancel):
            self._signatures.check_cancel(seq, item, parts.domain)
        elif isinstance(item, ReserveWithdrawal):
            self._signatures.check_withdrawal(seq, item, parts.vault_domain)
        elif isinstance(item, ChainBlock):
            parts.observations.block(seq, item)
            decoded = self._decoded(seq, item)
        elif isinstance(item, ChainRevert):
            parts.observations.revert(seq, item)
            parts.settlement.revert(item)
        elif isinstance(item, BatchBuilt):
            parts.settlement.built(seq, item.next, item.raw_tx)
            parts.batches.check(seq, item, replayed=self._replay.core is not None)
        parts.settlement.matched(self._replay.apply(seq, item))
        if isinstance(item, ChainBlock):
            parts.settlement.block(seq, item, decoded, replayed=self._replay.core is not None)

    def _decoded(self, seq: int, item: ChainBlock) -> list[events.Event]:
        """The events of a block. Takes the names of markets that were listed later on."""
        decoded: list[events.Event] = []
        for log in item.logs:
            try:
                event = events.decode_log(log.to_rpc(item.number, item.hash, item.time_s))
            except events.LogError as error:
                self.report.wrong(seq, "are its logs events?", "logs as the contracts emit them", str(error))
                continue
            if event is not None:
                decoded.append(event)
            if isinstance(event, events.MarketListed):
                self._tickers[event.market] = event.ticker
        return decoded

    def _behind_the_end(self, parts: _Parts, last: int, newest: int) -> None:
        """What the chain has settled since the newest block of the journal: its heads must be there as well."""
        first = parts.observations.last_number + 1
        replayed = self._replay.core is not None
        blocks: dict[int, list[events.Event]] = {}
        for log in self._node.logs_since(first, newest, parts.domain.verifying_contract):
            event = events.decode_log(log)
            if event is not None:
                blocks.setdefault(int(log["blockNumber"], 16), []).append(event)
        for number, decoded in blocks.items():
            parts.settlement.follow(last + 1, number, decoded, replayed=replayed)

    def _conclude(self, parts: _Parts, last: int) -> None:
        report, replay, settlement = self.report, self._replay, parts.settlement
        report.about += f"; records {report.first_seq} to {last} in {report.groups} groups"
        observed, receipts = parts.observations, parts.receipts
        proven = report.proven
        proven.append(f"{report.groups} groups in {self._history.segments} segments form one chain of heads")
        proven.append(f"{self._signatures.orders} orders are signed by whom they name, with the terms they have")
        proven.append(f"{self._signatures.cancels} cancels are signed by whom they name")
        proven.append(f"{self._signatures.withdrawals} withdrawals are signed by whom they pay from")
        proven.append(
            f"{observed.blocks} blocks are as the chain has them, with all {observed.logs} logs of the contracts"
        )
        if observed.prices:
            proven.append(f"{observed.prices} prices are those that the oracle says at these blocks")
        if replay.groups:
            proven.append(f"{replay.groups} groups give the recorded results when they are replayed")
            proven.append(
                f"{settlement.fills} fills on chain, and {parts.batches.batches} transactions, follow from the replay"
            )
        proven.append(
            f"{settlement.anchors} batches on chain anchor heads of this journal, "
            f"the newest after record {settlement.anchor_seq}"
        )
        if receipts.agreeing:
            proven.append(
                f"{receipts.agreeing} receipts agree, the newest with the head after record {receipts.newest}"
            )
        unproven = report.unproven
        if last > report.proven_up_to:
            unproven.append(f"records {report.proven_up_to + 1} to {last}: no anchor or receipt vouches for them yet")
        if replay.stopped:
            unproven.append(f"results and fills of {replay.stopped}")
        elif replay.core is None:
            first = report.first_seq
            unproven.append(
                f"results and fills of records from {first} on: no good snapshot is of a state in this journal"
            )
        if self._hidden:
            unproven.append(f"{self._hidden} records are open conditional orders, of which only the hash is shown")
        if observed.unpriced:
            unproven.append(f"the prices at {observed.unpriced} blocks: the state of old ones is forgotten")
        if observed.reverted:
            shown = ", ".join(map(str, observed.reverted[:5]))
            unproven.append(f"{len(observed.reverted)} blocks that are not final and not of the node's chain ({shown})")
        if settlement.unknown:
            unproven.append(f"{settlement.unknown} batches on chain that anchor heads before record {report.first_seq}")
        if settlement.foreign:
            unproven.append(f"{settlement.foreign} batches of other operators, whose journals are not this one")
        unproven += [f"a receipt that proves nothing: {reason}" for reason in receipts.unsound[:5]]
        if self._deployment is None:
            unproven.append("that the exchange is the right one: no deployment was given")
        note = self._source.tail_note()
        if note:
            unproven.append(note)
        unproven.append("in which order messages arrived, and that none was dropped before it was acknowledged")


class _Parts:
    """What can be set up only once the journal has said whose it is."""

    def __init__(
        self,
        operator: str,
        domain: Domain,
        vault_domain: Domain,
        observations: Observations,
        settlement: Settlement,
        batches: Batches,
        receipts: ReceiptBook,
    ) -> None:
        self.operator = operator
        self.domain = domain
        self.vault_domain = vault_domain
        self.observations = observations
        self.settlement = settlement
        self.batches = batches
        self.receipts = receipts
