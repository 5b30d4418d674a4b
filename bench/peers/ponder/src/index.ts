// SPDX-License-Identifier: AGPL-3.0-only
// Less than Ouro's indexer does: no exposures, entry prices, realised profit, open interest, funding or equity.
import { ponder } from "ponder:registry";
import { account, batch, candle, fill, position, price, trade, transfer } from "ponder:schema";

const RESOLUTIONS = [60, 300, 900, 1_800, 3_600, 14_400, 86_400];
const field = (word: bigint, at: bigint, bits: bigint) => (word >> at) & ((1n << bits) - 1n);
const signed = (value: bigint, bits: bigint) => (value >> (bits - 1n) ? value - (1n << bits) : value);
const fee = (notional: bigint, ppm: bigint) => {
  const exact = notional * ppm;
  return exact > 0n ? (exact + 999_999n) / 1_000_000n : exact / 1_000_000n;
};

ponder.on("Exchange:Fill", async ({ event, context }) => {
  const { detail, taker, maker, taker_order, maker_order, taker_position, maker_position } = event.args;
  const { number: block, timestamp: time } = event.block;
  const at = field(detail, 144n, 48n);
  const size = field(detail, 96n, 48n);
  const market = Number(field(detail, 80n, 16n));
  const takerSold = (detail & 1n) === 1n;
  const sides = [
    { who: taker, other: maker, sub: 64n, ppm: 32n, order: taker_order, word: taker_position, buys: !takerSold, liquidity: "TAKER" },
    { who: maker, other: taker, sub: 48n, ppm: 16n, order: maker_order, word: maker_position, buys: takerSold, liquidity: "MAKER" },
  ];
  for (const side of sides) {
    const subaccount = Number(field(detail, side.sub, 16n));
    const paid = fee(size * at, signed(field(detail, side.ppm, 16n), 16n));
    await context.db.insert(fill).values({
      block,
      logIndex: event.log.logIndex,
      liquidity: side.liquidity,
      time,
      transaction: event.transaction.hash,
      owner: side.who,
      subaccount,
      counterparty: side.other,
      market,
      buys: side.buys,
      size,
      price: at,
      fee: paid,
      order: side.order,
    });
    const lots = signed(side.word >> 192n, 64n);
    const quote = signed(field(side.word, 64n, 128n), 128n);
    await context.db
      .insert(position)
      .values({ owner: side.who, subaccount, market, size: lots, quote, fees: paid })
      .onConflictDoUpdate((row) => ({ size: lots, quote, fees: row.fees + paid }));
  }
  await context.db
    .insert(trade)
    .values({ block, logIndex: event.log.logIndex, time, market, bought: !takerSold, size, price: at });
  for (const resolution of RESOLUTIONS) {
    const startedAt = time - (time % BigInt(resolution));
    await context.db
      .insert(candle)
      .values({
        market,
        resolution,
        startedAt,
        open: at,
        high: at,
        low: at,
        close: at,
        volume: size,
        notional: size * at,
        trades: 1,
      })
      .onConflictDoUpdate((row) => ({
        high: row.high > at ? row.high : at,
        low: row.low < at ? row.low : at,
        close: at,
        volume: row.volume + size,
        notional: row.notional + size * at,
        trades: row.trades + 1,
      }));
  }
});

ponder.on("Exchange:PositionClosed", async ({ event, context }) => {
  const { account: owner, subaccount, cash } = event.args;
  await context.db
    .insert(account)
    .values({ owner, subaccount: Number(subaccount), cash })
    .onConflictDoUpdate({ cash });
});

ponder.on("Exchange:Credited", async ({ event, context }) => {
  const { account: owner, subaccount, cash } = event.args;
  await context.db
    .insert(account)
    .values({ owner, subaccount: Number(subaccount), cash })
    .onConflictDoUpdate({ cash });
});

ponder.on("Exchange:BatchSettled", async ({ event, context }) => {
  const { operator, settled, rejected, fees } = event.args;
  await context.db
    .insert(batch)
    .values({ id: event.id, operator, settled: Number(settled), rejected: Number(rejected), fees });
});

ponder.on("Oracle:PricePushed", async ({ event, context }) => {
  const { market, price: pushed, published_at } = event.args;
  await context.db.insert(price).values({ id: event.id, market: Number(market), price: pushed, publishedAt: published_at });
});

ponder.on("Vault:Deposited", async ({ event, context }) => {
  const { account: owner, subaccount, amount } = event.args;
  await context.db.insert(transfer).values({ id: event.id, owner, subaccount: Number(subaccount), amount });
});
