// SPDX-License-Identifier: AGPL-3.0-only
/** Turns what the stream tells about the account into notices. */

import type { Fill, Match, Order, Transfer } from "../api/types";
import { grouped, signedUsd, usd } from "../money/format";
import { baseOf, usdc } from "../money/market";
import { MARKET_LABEL } from "../orders/build";
import { steps, summed } from "../orders/reading";
import { notify } from "./notices";

const WORDS: Record<string, string> = {
  LIMIT: "Limit",
  MARKET: "Market",
  STOP_LIMIT: "Stop limit",
  STOP_MARKET: "Stop",
  TAKE_PROFIT: "Take-profit limit",
  TAKE_PROFIT_MARKET: "Take-profit",
  TRAILING_STOP: "Trailing stop",
  TWAP_SUBORDER: "TWAP part",
};

/** By what it does: a market order is signed as an IOC order with a worst price, which its label tells apart. */
export function kindOf(order: Pick<Order, "type" | "timeInForce" | "clientId">): string {
  if (order.type === "LIMIT" && order.timeInForce !== "GTT") {
    return order.clientId.startsWith(MARKET_LABEL) ? "Market" : `Limit ${order.timeInForce}`;
  }
  return WORDS[order.type] ?? order.type;
}

export const describe = (order: Pick<Order, "side" | "size" | "ticker">): string =>
  `${order.side === "BUY" ? "Buy" : "Sell"} ${order.size} ${baseOf(order.ticker)}`;

/** Reasons as people say them; anything else is shown as the exchange said it. */
const REASONS: Record<string, string> = {
  oco: "the other order of the pair was filled",
  parent_ended: "its entry ended without a fill",
  immediate_remainder: "nothing more to match at once",
  ioc_remainder: "nothing more to match at once",
  fok_unfillable: "the book could not fill all of it",
  user_cancelled: "by you",
  cancelled_on_chain: "by you, on chain",
  cancel_all_after: "by your dead man's switch",
  replaced: "amended",
  expired: "its time was over",
  self_trade: "it would have met your own order",
  post_only_would_cross: "it would have taken from the book",
  reduce_only: "no position to reduce any more",
  amended_order_ended: "the order that it was to amend ended",
  key_revoked: "its session key was revoked",
  key_budget: "its session key's budget is used up",
  market_closed: "the market has ended",
  market_settling: "the market is ending",
  insufficient_margin: "not enough margin",
  price_band: "too far from the index price",
  reduce_only_no_position: "no position to reduce",
};

export const reason = (code: string | null | undefined): string =>
  code ? (REASONS[code] ?? code.replaceAll("_", " ")) : "";

/** Orders that this page ended itself need no notice. */
const quiet = new Set<string>();

export function expectEnd(ids: readonly string[]): void {
  for (const id of ids) quiet.add(id);
}

export function tellOrders(orders: readonly Order[], before: ReadonlyMap<string, Order>): void {
  const behind = steps(before.values());
  for (const order of orders) {
    const known = before.get(order.id);
    // What an amend took the place of goes on under another id, and a step ends with its stop.
    const goesOn = order.removalReason === "replaced" || behind.has(order.id);
    if (order.status === "CANCELED" && known && !goesOn && !quiet.has(order.id)) {
      notify(
        "order",
        "plain",
        `${kindOf(order)} cancelled`,
        [describe(order), reason(order.removalReason)].filter(Boolean).join(": "),
      );
    } else if (known?.status === "UNTRIGGERED" && order.status === "OPEN") {
      notify("order", "plain", `${kindOf(order)} triggered`, describe(order));
    }
    if (order.status === "CANCELED" || order.status === "FILLED") quiet.delete(order.id);
  }
}

const told = new Set<string>();
const MOST_TOLD = 2_000;

/** `late`: they were matched while nobody listened, and may be on their way to the chain already. */
export function tellMatches(matches: readonly Match[], whose: string, late = false): void {
  const fresh: Match[] = [];
  for (const match of matches) {
    if (match.status === "rejected") {
      notify(
        "fill",
        "bad",
        "A match was undone",
        `${match.size} ${baseOf(match.ticker)} at ${grouped(match.price)}: ${match.reason || "the chain refused it"}`,
      );
    } else if ((match.status === "matched" || (late && match.status === "submitted")) && !told.has(match.id)) {
      if (told.size > MOST_TOLD) told.clear();
      told.add(match.id);
      fresh.push(match);
    }
  }
  for (const { bought, ticker, size, price, averaged } of summed(fresh, whose)) {
    const at = `at ${grouped(price)}${averaged ? " on average" : ""}, settling on chain`;
    notify("fill", "good", `${bought ? "Bought" : "Sold"} ${size} ${baseOf(ticker)}`, at);
  }
}

export function tellFills(fills: readonly Fill[]): void {
  for (const fill of fills) {
    if (fill.type === "LIQUIDATED" || fill.type === "DELEVERAGED") {
      const loss = fill.realizedPnl ? ` Result ${signedUsd(usdc(fill.realizedPnl))}.` : "";
      const what = fill.type === "LIQUIDATED" ? "Liquidated" : "Deleveraged";
      notify("liquidation", "bad", `${what}: ${fill.size} ${baseOf(fill.market)}`, `at ${grouped(fill.price)}.${loss}`);
    }
  }
}

const ownTransactions = new Set<string>();

/** A transaction whose outcome a dialog tells itself. */
export function expectTransfer(hash: string): void {
  ownTransactions.add(hash);
}

export function tellTransfer(transfer: Transfer): void {
  if (ownTransactions.has(transfer.transactionHash)) return;
  const out = transfer.type === "WITHDRAWAL" || transfer.type === "TRANSFER_OUT";
  notify("transfer", "good", out ? "Withdrawal paid" : "Deposit credited", usd(usdc(transfer.size)));
}

/** Why an order cannot be amended; empty when it can. */
export function notAmendable(order: Order): string {
  if (order.type === "TRAILING_STOP") return "Its steps are signed in advance: cancel it and place another one.";
  if (order.type === "TWAP_SUBORDER") return "Each part has its own time: cancel it, or the rest of them.";
  const rests = order.status === "OPEN" && !order.immediate;
  const waits = order.status === "UNTRIGGERED" && order.triggerPrice !== null;
  return order.timeInForce === "GTT" && (rests || waits) ? "" : "It trades at once or ends.";
}

export const amendable = (order: Order): boolean => notAmendable(order) === "";
