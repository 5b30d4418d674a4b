// SPDX-License-Identifier: AGPL-3.0-only
/** What an account is worth at the index prices of now, and what an order would make of it. */

import type { Position } from "../api/types";
import { abs, max, min, units } from "./decimal";
import { fee, liquidationPrice, PPM, requirement } from "./formulas";
import { lots, type Market, priceUnits, usdc } from "./market";

/** Places of an entry price beyond the market's own: averages are finer than prices. */
const FINER = 8;

/** An open position; sizes in signed lots, prices in price units, money in micro-USDC. */
export interface Held {
  market: Market;
  size: bigint;
  entry: bigint;
  cost: bigint;
  index: bigint;
  value: bigint;
  unrealized: bigint;
  initial: bigint;
  maintenance: bigint;
  netFunding: bigint;
  fees: bigint;
  realized: bigint;
}

export function held(market: Market, position: Position, index: bigint, imfPpm: bigint): Held {
  const size = lots(market, position.size);
  const fine = units(position.entryPrice, market.priceDecimals + FINER);
  const cost = (size * fine) / 10n ** BigInt(FINER);
  const at = index || priceUnits(market, position.entryPrice);
  return {
    market,
    size,
    entry: priceUnits(market, position.entryPrice),
    cost,
    index: at,
    value: abs(size) * at,
    unrealized: size * at - cost,
    initial: requirement(size, at, imfPpm),
    maintenance: requirement(size, at, market.mmfPpm),
    netFunding: usdc(position.netFunding),
    fees: usdc(position.fees),
    realized: usdc(position.realizedPnl),
  };
}

export interface Worth {
  equity: bigint;
  initial: bigint;
  maintenance: bigint;
  free: bigint;
  exposure: bigint;
  unrealized: bigint;
}

/** `settled` is equity without what the open positions would make at the index price. */
export function worth(settled: bigint, positions: readonly Held[]): Worth {
  let equity = settled;
  let initial = 0n;
  let maintenance = 0n;
  let exposure = 0n;
  let unrealized = 0n;
  for (const one of positions) {
    equity += one.unrealized;
    unrealized += one.unrealized;
    initial += one.initial;
    maintenance += one.maintenance;
    exposure += one.value;
  }
  return { equity, initial, maintenance, free: equity - initial, exposure, unrealized };
}

/** The liquidation price of one position while all other markets stand still. */
export function liquidationOf(one: Held, all: Worth): bigint | null {
  return liquidationPrice(one.size, one.index, one.market.mmfPpm, all.equity, all.maintenance - one.maintenance);
}

export interface Preview {
  notional: bigint;
  fee: bigint;
  /** Initial margin that the account needs in addition; negative when the order frees some. */
  margin: bigint;
  sizeAfter: bigint;
  entryAfter: bigint | null;
  freeAfter: bigint;
  equityAfter: bigint;
  exposureAfter: bigint;
  liquidation: bigint | null;
  enough: boolean;
}

interface Order {
  market: Market;
  /** Signed: negative sells. */
  size: bigint;
  price: bigint;
  index: bigint;
  imfPpm: bigint;
  feePpm: bigint;
  reduceOnly: boolean;
}

/** As if the order were filled whole at its price. */
export function preview(order: Order, before: Held | null, all: Worth): Preview {
  const { market, index, imfPpm } = order;
  const sizeBefore = before?.size ?? 0n;
  const size = order.reduceOnly ? reducing(sizeBefore, order.size) : order.size;
  const notional = abs(size) * order.price;
  const charged = fee(notional, order.feePpm);
  const sizeAfter = sizeBefore + size;
  const initialAfter = requirement(sizeAfter, index, imfPpm);
  const equityAfter = all.equity + size * (index - order.price) - charged;
  const otherMaintenance = all.maintenance - (before?.maintenance ?? 0n);
  const initialTotal = all.initial - (before?.initial ?? 0n) + initialAfter;
  const reduces = abs(sizeAfter) < abs(sizeBefore) && sizeAfter * sizeBefore >= 0n;
  return {
    notional,
    fee: charged,
    margin: initialAfter - (before?.initial ?? 0n),
    sizeAfter,
    entryAfter: entryAfter(before, size, order.price),
    freeAfter: equityAfter - initialTotal,
    equityAfter,
    exposureAfter: all.exposure - (before?.value ?? 0n) + abs(sizeAfter) * index,
    liquidation: liquidationPrice(sizeAfter, index, market.mmfPpm, equityAfter, otherMaintenance),
    enough: equityAfter >= initialTotal || reduces,
  };
}

function reducing(position: bigint, size: bigint): bigint {
  if (position * size >= 0n) return 0n;
  return size > 0n ? min(size, -position) : max(size, -position);
}

function entryAfter(before: Held | null, size: bigint, price: bigint): bigint | null {
  const sizeBefore = before?.size ?? 0n;
  const after = sizeBefore + size;
  if (after === 0n) return null;
  if (sizeBefore === 0n || sizeBefore * after < 0n) return price;
  if (abs(after) <= abs(sizeBefore)) return before!.entry;
  return (before!.cost + size * price) / after;
}

/** The most lots that the free collateral carries at this price and leverage, with a little room for the price to move. */
export function largest(
  buy: boolean,
  price: bigint,
  index: bigint,
  imfPpm: bigint,
  feePpm: bigint,
  leverage: bigint,
  before: Held | null,
  all: Worth,
): bigint {
  if (price <= 0n || index <= 0n) return 0n;
  const fraction = max(imfPpm, PPM / max(1n, leverage));
  const perLot = (index * fraction) / PPM + (price * feePpm) / PPM + 1n + max(0n, buy ? price - index : index - price);
  const sizeBefore = before?.size ?? 0n;
  const opposite = buy ? sizeBefore < 0n : sizeBefore > 0n;
  const closing = opposite ? abs(sizeBefore) : 0n;
  const freed = opposite ? before!.initial : 0n;
  const room = all.free + freed;
  const opening = room > 0n ? room / perLot : 0n;
  return closing + (opening > 0n ? opening - opening / 500n : 0n);
}
