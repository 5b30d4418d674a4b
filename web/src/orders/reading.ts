// SPDX-License-Identifier: AGPL-3.0-only
/** What orders and matches mean to their owner. */

import type { Match, Order } from "../api/types";
import { fixed, plain, units } from "../money/decimal";

/** Places that hold every market's sizes and prices. */
const FINE = 12;

const STATUSES: Record<string, string> = {
  BEST_EFFORT_OPENED: "open",
  CANCELED: "cancelled",
  BEST_EFFORT_CANCELED: "cancelled",
  UNTRIGGERED: "waiting",
};

export const statusOf = (order: Order): string =>
  STATUSES[order.status] ?? order.status.toLowerCase().replaceAll("_", " ");

/** Of an account's open orders, those that guard a position: an exit does so once its entry has ended. */
export function guarding(open: readonly Order[]): Order[] {
  const ids = new Set(open.map((order) => order.id));
  return open.filter(
    (order) => order.status === "UNTRIGGERED" && order.reduceOnly && !(order.parent && ids.has(order.parent)),
  );
}

/** Matches that came together, by market and side: an order that takes from many is one event to its owner. */
export function summed(matches: readonly Match[], whose: string) {
  const sums = new Map<string, { bought: boolean; ticker: string; lots: bigint; value: bigint; prices: Set<string> }>();
  for (const match of matches) {
    const bought = (match.takerSide === "BUY") === (match.taker.toLowerCase() === whose.toLowerCase());
    const key = match.ticker + bought;
    const sum = sums.get(key) ?? { bought, ticker: match.ticker, lots: 0n, value: 0n, prices: new Set<string>() };
    const lots = units(match.size, FINE);
    sum.lots += lots;
    sum.value += lots * units(match.price, FINE);
    sums.set(key, { ...sum, prices: sum.prices.add(match.price) });
  }
  return [...sums.values()].map(({ bought, ticker, lots, value, prices }) => ({
    bought,
    ticker,
    size: plain(lots, FINE),
    price: prices.size === 1 ? [...prices][0]! : fixed(value / lots, FINE, 2),
    averaged: prices.size > 1,
  }));
}

/**
 * Ids of amends that wait for the price, behind an earlier revision that stands: the steps of a trailing stop. One that was
 * carried out is the stop itself, though it keeps its `armPrice`.
 */
export function steps(live: Iterable<Order>): Set<string> {
  const chain = (order: Order) => `${order.ticker}/${order.generation}/${order.slot}`;
  const first = new Map<string, number>();
  const armed: Order[] = [];
  for (const order of live) {
    first.set(chain(order), Math.min(order.revision, first.get(chain(order)) ?? Infinity));
    if (order.status === "UNTRIGGERED" && order.armPrice != null) armed.push(order);
  }
  return new Set(armed.filter((order) => order.revision > first.get(chain(order))!).map((order) => order.id));
}
