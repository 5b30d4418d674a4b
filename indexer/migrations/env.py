# SPDX-License-Identifier: AGPL-3.0-only
"""Runs migrations on the connection that `indexer.store.migrate` hands over."""

from alembic import context

from indexer.store import heartbeat, order_schema, outbox, schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    render_as_batch=True,
)
assert {table.metadata for table in (order_schema.orders, outbox.outbox, heartbeat.follower)} == {schema.metadata}
with context.begin_transaction():
    context.run_migrations()
