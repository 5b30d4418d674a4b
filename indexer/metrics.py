# SPDX-License-Identifier: AGPL-3.0-only
"""What the indexer counts, for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

head = Gauge("ouro_indexer_node_head", "Newest block the node announces.")
height = Gauge("ouro_indexer_height", "Newest block applied.")
final = Gauge("ouro_indexer_final", "Newest applied block that is final.")
seq = Gauge("ouro_indexer_seq", "Newest record of the relayer's log applied.")
events = Counter("ouro_indexer_events", "Contract events applied.")
reorgs = Counter("ouro_indexer_reorgs", "Times the chain stepped back.")
node_errors = Counter("ouro_indexer_node_errors", "Failed requests to the node.")
relayer_errors = Counter("ouro_indexer_relayer_errors", "Failed requests to the relayer's log.")
block_seconds = Histogram("ouro_indexer_block_seconds", "Time to write one block.")
requests = Histogram("ouro_indexer_request_seconds", "Time to answer a request.", ["method", "route", "status"])
sockets = Gauge("ouro_indexer_stream_connections", "Open stream connections.")
dropped = Counter("ouro_indexer_stream_dropped", "Stream connections closed because they read too slowly.")
outbox_seq = Gauge("ouro_indexer_outbox_seq", "Newest letter of the outbox.")
outbox_sent = Gauge("ouro_indexer_outbox_sent", "Newest letter that this process has passed on.")
renewed = Counter("ouro_indexer_stream_renewed", "Subscriptions that were sent a fresh snapshot.")
resumed = Counter("ouro_indexer_stream_resumed", "Subscriptions that went on where they had ended.")
