// SPDX-License-Identifier: AGPL-3.0-only
/** Orders made of several: brackets, ladders, TWAP, trailing stops. All are signed in advance. */

import { abs, ceilDiv, max } from "../money/decimal";
import { ceilToTick, floorToTick, type Market, worstLimit } from "../money/market";
import type { Ask, Extras, Trigger } from "./build";

export const EXIT_SLIPPAGE_PPM = 50_000n;
const HOUR_S = 3_600;

export const stopTrigger = (buy: boolean): Trigger => (buy ? "AT_OR_ABOVE" : "AT_OR_BELOW");
export const profitTrigger = (buy: boolean): Trigger => (buy ? "AT_OR_BELOW" : "AT_OR_ABOVE");

export interface Exits {
  takeProfit?: bigint | undefined;
  stopLoss?: bigint | undefined;
}

/** Reduce-only orders that close what an entry (or a position) of this side holds; one cancels the other. */
export function exits(market: Market, buy: boolean, size: bigint, at: Exits, extras: Extras = {}): Ask[] {
  const exitBuy = !buy;
  const both = at.takeProfit !== undefined && at.stopLoss !== undefined;
  const link: Extras = {
    immediate: true,
    ...extras,
    ...(both ? { oco: `exit-${crypto.randomUUID().slice(0, 13)}` } : {}),
  };
  const one = (price: bigint, trigger: Trigger): Ask => ({
    market,
    buy: exitBuy,
    size,
    price: worstLimit(market, exitBuy, price, EXIT_SLIPPAGE_PPM),
    timeInForce: "GTT",
    reduceOnly: true,
    trigger,
    triggerPrice: price,
    // An exit must not fail because an order of one's own stands in its way.
    selfTrade: "CANCEL_MAKER",
    extras: link,
  });
  return [
    ...(at.takeProfit === undefined ? [] : [one(at.takeProfit, profitTrigger(exitBuy))]),
    ...(at.stopLoss === undefined ? [] : [one(at.stopLoss, stopTrigger(exitBuy))]),
  ];
}

/** In nearly equal parts, the larger ones first. */
export function split(size: bigint, parts: number): bigint[] {
  const each = size / BigInt(parts);
  const rest = Number(size % BigInt(parts));
  return Array.from({ length: parts }, (_, part) => each + (part < rest ? 1n : 0n));
}

/** Limit orders evenly between two prices, both included. */
export function ladder(
  base: Omit<Ask, "size" | "price">,
  size: bigint,
  first: bigint,
  last: bigint,
  parts: number,
): Ask[] {
  const rounded = base.buy ? floorToTick : ceilToTick;
  return split(size, parts).map((share, part) => ({
    ...base,
    size: share,
    price: rounded(base.market, first + ((last - first) * BigInt(part)) / BigInt(Math.max(1, parts - 1))),
  }));
}

/** Parts that trade one after another, each at once when its time comes; what one does not find is not caught up. */
export function twap(base: Omit<Ask, "size">, size: bigint, parts: number, seconds: number, startMs: number): Ask[] {
  const every = Math.floor((seconds * 1000) / Math.max(1, parts - 1));
  return split(size, parts).map((share, part) => ({
    ...base,
    size: share,
    timeInForce: "GTT",
    // An hour more, in which a market that does not trade when the time comes may open again.
    lifetimeS: Math.floor((part * every) / 1000) + HOUR_S,
    extras: { immediate: true, notBefore: startMs + part * every },
  }));
}

/** A stop and the amends that move it after the index price; each is carried out when the price has come so far. */
export function trailing(
  market: Market,
  buy: boolean,
  size: bigint,
  index: bigint,
  distance: bigint,
  revisions: number,
  reduceOnly: boolean,
): Ask[] {
  const apart = max(market.tick, floorToTick(market, distance));
  const step = max(market.tick, floorToTick(market, ceilDiv(apart, 10n)));
  const ahead = buy ? -1n : 1n;
  const start = buy ? ceilToTick(market, index) : floorToTick(market, index);
  return Array.from({ length: revisions + 1 }, (_, at) => {
    const moved = ahead * BigInt(at) * step;
    const triggerPrice = start - ahead * apart + moved;
    return {
      market,
      buy,
      size: abs(size),
      price: worstLimit(market, buy, triggerPrice, EXIT_SLIPPAGE_PPM),
      timeInForce: "GTT" as const,
      reduceOnly,
      trigger: stopTrigger(buy),
      triggerPrice,
      selfTrade: "CANCEL_MAKER" as const,
      extras: { immediate: true, ...(at === 0 ? {} : { replacesAt: at - 1, armPrice: start + moved }) },
    };
  });
}
