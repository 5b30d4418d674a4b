// SPDX-License-Identifier: AGPL-3.0-only
/** Orders as they are signed. Amounts are whole lots and price units; see docs/protocol.md, section 3. */

import type { Market } from "../money/market";
import type { Message } from "../sign/messages";

export const MAX_FEE_PPM = 500;
export const RESTING_LIFETIME_S = 28 * 86_400;
export const ONE_SHOT_LIFETIME_S = 30;
/** What client ids of market orders begin with. */
export const MARKET_LABEL = "market-";
const MAX_SLOT = 65_535;

export type TimeInForce = "GTT" | "IOC" | "FOK";
export type Trigger = "NONE" | "AT_OR_ABOVE" | "AT_OR_BELOW";

/** What is wanted of one order. */
export interface Ask {
  market: Market;
  buy: boolean;
  size: bigint;
  price: bigint;
  timeInForce: TimeInForce;
  postOnly?: boolean;
  reduceOnly?: boolean;
  trigger?: Trigger;
  triggerPrice?: bigint;
  lifetimeS?: number;
  /** The price is a bound and not a wish. */
  atMarket?: boolean;
  selfTrade?: string;
  extras?: Extras;
}

/** What travels beside the signed order and binds an honest operator only. */
export interface Extras {
  immediate?: boolean;
  notBefore?: number;
  oco?: string;
  /** Place in the same submission of the order that this one waits for. */
  parentAt?: number;
  /** Place in the same submission of the order that this one amends. */
  replacesAt?: number;
  replaces?: string;
  armPrice?: bigint;
}

let lastMs = 0;

/** Milliseconds since 1970, never twice the same: generations and nonces must grow. */
export function nextMs(): number {
  lastMs = Math.max(lastMs + 1, Date.now());
  return lastMs;
}

export function drawSlot(offered: readonly number[] = []): number {
  const pick = crypto.getRandomValues(new Uint32Array(1))[0]!;
  return offered.length ? offered[pick % offered.length]! : 1 + (pick % MAX_SLOT);
}

export interface Stamp {
  generation: number;
  slot: number;
  revision: number;
}

/** The message of an order. The signed expiry is the shown one plus the settlement window. */
export function message(ask: Ask, account: string, settleWindow: number, stamp: Stamp, subaccount = 0): Message {
  const oneShot = ask.timeInForce !== "GTT";
  const lifetime = ask.lifetimeS ?? (oneShot ? ONE_SHOT_LIFETIME_S : RESTING_LIFETIME_S);
  return {
    market: ask.market.ticker,
    side: ask.buy ? "BUY" : "SELL",
    size: ask.size,
    limitPrice: ask.price,
    timeInForce: ask.timeInForce,
    postOnly: ask.postOnly ?? false,
    reduceOnly: ask.reduceOnly ?? false,
    trigger: ask.trigger ?? "NONE",
    triggerPrice: ask.triggerPrice ?? 0n,
    maxFeePpm: MAX_FEE_PPM,
    expiry: Math.floor(stamp.generation / 1000) + lifetime + settleWindow,
    account,
    subaccount,
    selfTrade: ask.selfTrade ?? "CANCEL_TAKER",
    slot: stamp.slot,
    generation: stamp.generation,
    revision: stamp.revision,
    referrer: 0,
  };
}

export function stampFor(ask: Ask, offered: readonly number[] = []): Stamp {
  return { generation: nextMs(), slot: ask.timeInForce === "GTT" ? drawSlot(offered) : 0, revision: 0 };
}
