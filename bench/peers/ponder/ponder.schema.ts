// SPDX-License-Identifier: AGPL-3.0-only
// The tables that one would make first: both sides of each fill, the tape, positions, cash, candles, prices, batches.
import { index, onchainTable, primaryKey } from "ponder";

export const fill = onchainTable(
  "fill",
  (t) => ({
    block: t.bigint().notNull(),
    logIndex: t.integer().notNull(),
    liquidity: t.text().notNull(),
    time: t.bigint().notNull(),
    transaction: t.hex().notNull(),
    owner: t.hex().notNull(),
    subaccount: t.integer().notNull(),
    counterparty: t.hex().notNull(),
    market: t.integer().notNull(),
    buys: t.boolean().notNull(),
    size: t.bigint().notNull(),
    price: t.bigint().notNull(),
    fee: t.bigint().notNull(),
    order: t.hex().notNull(),
  }),
  (table) => ({ pk: primaryKey({ columns: [table.block, table.logIndex, table.liquidity] }), owner: index().on(table.owner) }),
);

export const trade = onchainTable(
  "trade",
  (t) => ({
    block: t.bigint().notNull(),
    logIndex: t.integer().notNull(),
    time: t.bigint().notNull(),
    market: t.integer().notNull(),
    bought: t.boolean().notNull(),
    size: t.bigint().notNull(),
    price: t.bigint().notNull(),
  }),
  (table) => ({ pk: primaryKey({ columns: [table.block, table.logIndex] }), market: index().on(table.market) }),
);

export const position = onchainTable(
  "position",
  (t) => ({
    owner: t.hex().notNull(),
    subaccount: t.integer().notNull(),
    market: t.integer().notNull(),
    size: t.bigint().notNull(),
    quote: t.bigint().notNull(),
    fees: t.bigint().notNull(),
  }),
  (table) => ({ pk: primaryKey({ columns: [table.owner, table.subaccount, table.market] }) }),
);

export const account = onchainTable(
  "account",
  (t) => ({ owner: t.hex().notNull(), subaccount: t.integer().notNull(), cash: t.bigint().notNull() }),
  (table) => ({ pk: primaryKey({ columns: [table.owner, table.subaccount] }) }),
);

export const candle = onchainTable(
  "candle",
  (t) => ({
    market: t.integer().notNull(),
    resolution: t.integer().notNull(),
    startedAt: t.bigint().notNull(),
    open: t.bigint().notNull(),
    high: t.bigint().notNull(),
    low: t.bigint().notNull(),
    close: t.bigint().notNull(),
    volume: t.bigint().notNull(),
    notional: t.bigint().notNull(),
    trades: t.integer().notNull(),
  }),
  (table) => ({ pk: primaryKey({ columns: [table.market, table.resolution, table.startedAt] }) }),
);

export const price = onchainTable("price", (t) => ({
  id: t.text().primaryKey(),
  market: t.integer().notNull(),
  price: t.bigint().notNull(),
  publishedAt: t.bigint().notNull(),
}));

export const batch = onchainTable("batch", (t) => ({
  id: t.text().primaryKey(),
  operator: t.hex().notNull(),
  settled: t.integer().notNull(),
  rejected: t.integer().notNull(),
  fees: t.bigint().notNull(),
}));

export const transfer = onchainTable("transfer", (t) => ({
  id: t.text().primaryKey(),
  owner: t.hex().notNull(),
  subaccount: t.integer().notNull(),
  amount: t.bigint().notNull(),
}));
