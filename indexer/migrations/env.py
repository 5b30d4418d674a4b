# SPDX-License-Identifier: AGPL-3.0-only
"""Runs migrations on the connection that `indexer.store.migrate` hands over."""

from alembic import context

from indexer.store import order_schema, schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    render_as_batch=True,
)
assert order_schema.orders.metadata is schema.metadata
with context.begin_transaction():
    context.run_migrations()
