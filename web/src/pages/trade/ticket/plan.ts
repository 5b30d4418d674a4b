// SPDX-License-Identifier: AGPL-3.0-only
/** From what stands in the ticket to the orders that it means, or to what is wrong with it. */

import { computed } from "@preact/signals";
import { largest, type Preview, preview } from "../../../money/account";
import { abs, max, min, parse, plain } from "../../../money/decimal";
import { price as priceOf } from "../../../money/format";
import {
  bandLimit,
  baseOf,
  type Market,
  marketLimit,
  sizeText,
  typedLots,
  typedPrice,
  worstLimit,
} from "../../../money/market";
import type { Ask } from "../../../orders/build";
import {
  EXIT_SLIPPAGE_PPM,
  exits,
  ladder,
  profitTrigger,
  split,
  stopTrigger,
  trailing,
  twap,
} from "../../../orders/composed";
import { imfPpmOf, indexOf, positionIn, standing } from "../../../state/account";
import { book } from "../../../state/feed";
import { tier } from "../../../state/fees";
import { settings } from "../../../state/settings";
import { market } from "../../../state/venue";
import * as ticket from "./state";

/** What an order is worth at least, micro-USDC. */
const LEAST = 1_000_000n;

export type Where =
  | "price"
  | "lastPrice"
  | "trigger"
  | "size"
  | "takeProfit"
  | "stopLoss"
  | "parts"
  | "minutes"
  | "distance"
  | "";

export interface Problem {
  at: Where;
  text: string;
}

export interface Plan {
  market: Market;
  buy: boolean;
  lots: bigint;
  /** What the order is expected to trade at, on average. */
  expected: bigint | null;
  /** The worst price that is signed. */
  worst: bigint | null;
  /** Lots that the book cannot give within the slippage cap. */
  missing: bigint;
  preview: Preview | null;
  asks: Ask[];
  problem: Problem | null;
  /** The most lots that the account carries. */
  most: bigint;
}

/** Average price of taking so many lots, and what is left over within the limit. */
export function walk(levels: readonly { price: number; size: number }[], buy: boolean, lots: bigint, limit: bigint) {
  let left = lots;
  let cost = 0n;
  for (const level of levels) {
    const price = BigInt(level.price);
    if (left === 0n || (buy ? price > limit : price < limit)) break;
    const taken = min(left, BigInt(level.size));
    cost += taken * price;
    left -= taken;
  }
  const filled = lots - left;
  return { average: filled > 0n ? cost / filled : null, left };
}

interface Typed {
  value: bigint | null;
  problem: Problem | null;
}

function typed(m: Market, text: string, at: Where, name: string): Typed {
  if (!text.trim()) return { value: null, problem: { at, text: `Enter a ${name}.` } };
  const value = typedPrice(m, text);
  if (value === null || value === 0n) return { value: null, problem: { at, text: `That is not a ${name}.` } };
  if (value % m.tick !== 0n)
    return { value: null, problem: { at, text: `Prices move in steps of ${plain(m.tick, m.priceDecimals)}.` } };
  return { value, problem: null };
}

function lotsOf(m: Market, at: bigint | null): bigint | null {
  const text = ticket.size.value;
  if (settings.value.sizeUnit === "base") return typedLots(m, text);
  const micro = parse(text, 6);
  return micro === null || !at ? null : micro / at;
}

const count = (text: string, most: number): number | null => {
  const value = parse(text, 0);
  return value !== null && value >= 2n && value <= BigInt(most) ? Number(value) : null;
};

export const plan = computed<Plan | null>(() => {
  const m = market.value;
  if (!m) return null;
  const kind = ticket.kind.value;
  const buy = ticket.buy.value;
  const index = indexOf(m);
  const all = standing.value;
  const before = positionIn(m.ticker);
  const slippage = BigInt(settings.value.slippagePpm);
  const side = (buy ? book.value?.asks : book.value?.bids) ?? [];
  const touch = side[0] ? BigInt(side[0].price) : index;

  const limit = ticket.hasLimit(kind) ? typed(m, ticket.price.value, "price", "price") : null;
  const last = kind === "SCALE" ? typed(m, ticket.lastPrice.value, "lastPrice", "last price") : null;
  const trigger = ticket.triggered(kind) ? typed(m, ticket.trigger.value, "trigger", "trigger price") : null;
  const reference =
    kind === "SCALE" && limit?.value && last?.value
      ? (limit.value + last.value) / 2n
      : (limit?.value ?? trigger?.value ?? touch);

  const worst = worstOf(m, kind, buy, {
    limit: limit?.value ?? null,
    trigger: trigger?.value ?? null,
    touch,
    index,
    slippage,
  });
  const lots = lotsOf(m, reference) ?? 0n;
  const crossing =
    kind === "MARKET" || (kind === "LIMIT" && limit?.value && (buy ? limit.value >= touch : limit.value <= touch));
  const walked = crossing && worst && lots > 0n && side.length ? walk(side, buy, lots, worst) : null;
  const expected =
    kind === "MARKET" ? (walked?.average ?? touch) : walked?.average && walked.left === 0n ? walked.average : reference;
  const reduceOnly = ticket.reduceOnly.value || kind === "TRAILING";
  const takes = crossing && !(ticket.postOnly.value && kind === "LIMIT" && resting());
  const feePpm =
    takes || kind === "TWAP" || kind.endsWith("_MARKET") || kind === "TRAILING"
      ? tier.value.takerPpm
      : max(0n, tier.value.makerPpm);
  const imfPpm = imfPpmOf(m);
  const most = reduceOnly
    ? before && before.size !== 0n && before.size > 0n !== buy
      ? abs(before.size)
      : 0n
    : largest(buy, expected ?? index, index, imfPpm, feePpm, BigInt(settings.value.leverage), before, all);
  const shown =
    lots > 0n && expected && index
      ? preview(
          { market: m, size: buy ? lots : -lots, price: expected, index, imfPpm, feePpm, reduceOnly },
          before,
          all,
        )
      : null;
  const base = {
    market: m,
    buy,
    lots,
    expected,
    worst,
    missing: kind === "MARKET" ? (walked?.left ?? 0n) : 0n,
    preview: shown,
    most,
  };

  const problem =
    limit?.problem ??
    last?.problem ??
    trigger?.problem ??
    (kind === "LIMIT" || kind === "SCALE"
      ? (bandProblem(m, buy, index, limit?.value, "price") ?? bandProblem(m, buy, index, last?.value, "lastPrice"))
      : null) ??
    (crossing && kind === "LIMIT" && resting() && ticket.postOnly.value && side.length
      ? { at: "price", text: `Post-only: stay ${buy ? "below" : "above"} ${priceOf(m, touch)}.` }
      : null) ??
    sizeProblem(m, lots, expected, reduceOnly, most, shown, kind) ??
    exitProblems(m, buy, expected);
  if (problem || !worst) return { ...base, asks: [], problem: problem ?? { at: "", text: "There is no price yet." } };
  const made = orders({
    m,
    kind,
    buy,
    lots,
    worst,
    index,
    reduceOnly,
    last: last?.value ?? null,
    trigger: trigger?.value ?? null,
  });
  return "problem" in made ? { ...base, asks: [], problem: made.problem } : { ...base, asks: made.asks, problem: null };
});

const resting = () => ticket.tif.value === "GTT";

function bandProblem(
  m: Market,
  buy: boolean,
  index: bigint,
  price: bigint | null | undefined,
  at: Where,
): Problem | null {
  if (!price || index === 0n) return null;
  const most = bandLimit(m, buy, index);
  if (buy ? price <= most : price >= most) return null;
  const share = Number(m.bandPpm) / 10_000;
  return { at, text: `At ${buy ? "most" : "least"} ${priceOf(m, most)}: index ${buy ? "+" : "−"} ${share}%.` };
}

interface Prices {
  limit: bigint | null;
  trigger: bigint | null;
  touch: bigint;
  index: bigint;
  slippage: bigint;
}

function worstOf(m: Market, kind: ticket.Kind, buy: boolean, at: Prices): bigint | null {
  if (ticket.hasLimit(kind)) return at.limit;
  if (at.index === 0n) return null;
  if (kind === "MARKET") return marketLimit(m, buy, at.touch, at.slippage, at.index);
  if (kind === "TWAP") return worstLimit(m, buy, at.index, EXIT_SLIPPAGE_PPM);
  if (kind === "TRAILING") return at.index;
  return at.trigger === null ? null : worstLimit(m, buy, at.trigger, EXIT_SLIPPAGE_PPM);
}

function sizeProblem(
  m: Market,
  lots: bigint,
  price: bigint | null,
  reduceOnly: boolean,
  most: bigint,
  shown: Preview | null,
  kind: ticket.Kind,
): Problem | null {
  if (!ticket.size.value.trim()) return { at: "size", text: "Enter a size." };
  if (lots === 0n) return { at: "size", text: `The smallest size is ${sizeText(m, 1n)} ${baseOf(m.ticker)}.` };
  if (reduceOnly && most === 0n && !ticket.triggered(kind))
    return { at: "size", text: "There is no position that this side reduces." };
  if (price && lots * price < LEAST && !reduceOnly) return { at: "size", text: "An order is worth at least 1 USDC." };
  if (shown && !shown.enough && !ticket.triggered(kind) && !reduceOnly)
    return { at: "size", text: "Not enough free collateral." };
  return null;
}

function exitPrices(m: Market) {
  const read = (text: string, at: Where, name: string) =>
    text.trim() ? typed(m, text, at, name) : { value: null, problem: null };
  return {
    profit: read(ticket.takeProfit.value, "takeProfit", "take-profit price"),
    loss: read(ticket.stopLoss.value, "stopLoss", "stop price"),
  };
}

const bracketed = () => ticket.exitsOn.value && (ticket.kind.value === "LIMIT" || ticket.kind.value === "MARKET");

function exitProblems(m: Market, buy: boolean, expected: bigint | null): Problem | null {
  if (!bracketed()) return null;
  const { profit, loss } = exitPrices(m);
  if (profit.problem || loss.problem) return profit.problem ?? loss.problem;
  if (profit.value === null && loss.value === null) return { at: "takeProfit", text: "Enter a take-profit or a stop." };
  if (expected === null) return null;
  if (profit.value !== null && (buy ? profit.value <= expected : profit.value >= expected)) {
    return { at: "takeProfit", text: `A take-profit lies ${buy ? "above" : "below"} the entry.` };
  }
  if (loss.value !== null && (buy ? loss.value >= expected : loss.value <= expected)) {
    return { at: "stopLoss", text: `A stop lies ${buy ? "below" : "above"} the entry.` };
  }
  return null;
}

interface Made {
  m: Market;
  kind: ticket.Kind;
  buy: boolean;
  lots: bigint;
  worst: bigint;
  index: bigint;
  reduceOnly: boolean;
  last: bigint | null;
  trigger: bigint | null;
}

function orders({
  m,
  kind,
  buy,
  lots,
  worst,
  index,
  reduceOnly,
  last,
  trigger,
}: Made): { asks: Ask[] } | { problem: Problem } {
  const common = { market: m, buy, reduceOnly };
  switch (kind) {
    case "MARKET":
    case "LIMIT": {
      const timeInForce = kind === "MARKET" ? ("IOC" as const) : ticket.tif.value;
      const entry: Ask = {
        ...common,
        size: lots,
        price: worst,
        timeInForce,
        atMarket: kind === "MARKET",
        postOnly: kind === "LIMIT" && timeInForce === "GTT" && ticket.postOnly.value,
      };
      if (!bracketed()) return { asks: [entry] };
      const { profit, loss } = exitPrices(m);
      return {
        asks: [
          entry,
          ...exits(
            m,
            buy,
            lots,
            { takeProfit: profit.value ?? undefined, stopLoss: loss.value ?? undefined },
            { parentAt: 0 },
          ),
        ],
      };
    }
    case "SCALE": {
      const parts = count(ticket.parts.value, 50);
      if (parts === null) return { problem: { at: "parts", text: "Between 2 and 50 orders." } };
      const least = split(lots, parts).at(-1)! * min(worst, last!);
      if (least < LEAST && !reduceOnly)
        return { problem: { at: "size", text: "Each order is worth at least 1 USDC." } };
      if (least === 0n) return { problem: { at: "size", text: "Too small for so many orders." } };
      return {
        asks: ladder({ ...common, timeInForce: "GTT", postOnly: ticket.postOnly.value }, lots, worst, last!, parts),
      };
    }
    case "TWAP": {
      const parts = count(ticket.parts.value, 100);
      const minutes = Number(parse(ticket.minutes.value, 0) ?? 0n);
      if (parts === null) return { problem: { at: "parts", text: "Between 2 and 100 parts." } };
      if (!(minutes > 0 && minutes <= 1440)) return { problem: { at: "minutes", text: "Between 1 and 1440 minutes." } };
      const least = split(lots, parts).at(-1)! * worst;
      if (least < LEAST && !reduceOnly) return { problem: { at: "size", text: "Each part is worth at least 1 USDC." } };
      if (least === 0n) return { problem: { at: "size", text: "Too small for so many parts." } };
      return { asks: twap({ ...common, price: worst, timeInForce: "GTT" }, lots, parts, minutes * 60, Date.now()) };
    }
    case "TRAILING": {
      const apart = typedPrice(m, ticket.distance.value);
      if (!apart) return { problem: { at: "distance", text: "Enter how far behind the stop follows." } };
      if (apart >= index) return { problem: { at: "distance", text: "That is farther than the price itself." } };
      return { asks: trailing(m, buy, lots, index, apart, 20, true) };
    }
    default: {
      const stops = kind.startsWith("STOP");
      return {
        asks: [
          {
            ...common,
            size: lots,
            price: worst,
            timeInForce: "GTT",
            selfTrade: "CANCEL_MAKER",
            triggerPrice: trigger!,
            trigger: stops ? stopTrigger(buy) : profitTrigger(buy),
            extras: kind.endsWith("_MARKET") ? { immediate: true } : {},
          },
        ],
      };
    }
  }
}
