# SPDX-License-Identifier: AGPL-3.0-only
"""What the relayer counts, for Prometheus. Each relayer has a registry of its own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The instruments; names carry the unit."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.answers = Counter("ouro_relayer_answers", "Commands answered.", ["command", "status"], registry=registry)
        self.refusals = Counter("ouro_relayer_refusals", "Commands refused.", ["code"], registry=registry)
        self.shed = Counter("ouro_relayer_shed", "Commands turned away unread.", ["cause"], registry=registry)
        self.request_seconds = Histogram(
            "ouro_relayer_request_seconds",
            "From a command's first byte to its answer.",
            ["command"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.queued = Gauge("ouro_relayer_orders_queued", "Orders that wait to be verified.", registry=registry)
        self.journal_seq = Gauge("ouro_relayer_journal_seq", "Number of the last record on disk.", registry=registry)
        self.verify_batch = Histogram(
            "ouro_relayer_verify_batch", "Orders verified per batch.", buckets=_SIZES, registry=registry
        )
        self.commit_seconds = Histogram(
            "ouro_relayer_commit_seconds", "From the core's decision to the disk.", buckets=_SECONDS, registry=registry
        )
        self.inputs = Counter("ouro_relayer_inputs", "Inputs journaled.", registry=registry)
        self.records = Gauge("ouro_relayer_event_log_seq", "Number of the last public record.", registry=registry)
        self.fills = Counter("ouro_relayer_fills", "Turns of fills.", ["status"], registry=registry)
        self.unsettled = Gauge("ouro_relayer_unsettled_fills", "Fills the chain has not decided on.", registry=registry)
        self.batches = Counter("ouro_relayer_batches", "Settlement batches.", ["step"], registry=registry)
        self.batch_fills = Histogram("ouro_relayer_batch_fills", "Fills per batch.", buckets=_SIZES, registry=registry)
        self.in_flight = Gauge("ouro_relayer_batches_in_flight", "Batches sent and not decided.", registry=registry)
        self.operator_wei = Gauge("ouro_relayer_operator_balance_wei", "Gas money of the operator.", registry=registry)
        self.operator_batches = Gauge(
            "ouro_relayer_operator_balance_batches", "Batches that the gas money pays for.", registry=registry
        )
        self.capacity = Gauge(
            "ouro_relayer_max_unsettled_fills", "Fills that may be unsettled, by capacity.", registry=registry
        )
        self.chain_block = Gauge("ouro_relayer_chain_block", "Newest block followed.", registry=registry)
        self.chain_lag = Gauge("ouro_relayer_chain_lag_blocks", "Blocks still to follow.", registry=registry)
        self.reorgs = Counter("ouro_relayer_reorgs", "Reorganisations followed.", registry=registry)
        self.rpc_errors = Counter("ouro_relayer_rpc_errors", "Failed calls of the node.", registry=registry)
        self.consumers = Gauge("ouro_relayer_stream_consumers", "Open event streams.", registry=registry)
        self.slow_consumers = Counter(
            "ouro_relayer_slow_consumers", "Event streams cut for lagging.", registry=registry
        )
        self.insurance = Gauge("ouro_relayer_insurance_usdc", "The insurance fund.", registry=registry)
        self.accounts = Gauge("ouro_relayer_accounts", "Subaccounts by how they stand.", ["which"], registry=registry)
        self.open_interest = Gauge(
            "ouro_relayer_open_interest_usdc", "Open interest at the index price.", ["market"], registry=registry
        )
        self.concentration = Gauge(
            "ouro_relayer_largest_share", "The largest owner's share of positions.", ["market"], registry=registry
        )
        self.price_age = Gauge(
            "ouro_relayer_index_price_age_seconds", "Age of the index price.", ["market"], registry=registry
        )
        self.ready = Gauge("ouro_relayer_ready", "1 when orders are taken.", registry=registry)

    def exposition(self) -> bytes:
        """The text form that Prometheus scrapes."""
        return generate_latest(self.registry)
