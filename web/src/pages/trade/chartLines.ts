// SPDX-License-Identifier: AGPL-3.0-only
/** What of the account is drawn into the chart. */

import { effect } from "@preact/signals";
import * as reads from "../../api/reads";
import type { Order } from "../../api/types";
import type { Line, Mark } from "../../chart/PriceChart";
import type { Held } from "../../money/account";
import { fixed } from "../../money/decimal";
import { signedUsd, size } from "../../money/format";
import type { Market } from "../../money/market";
import { guarding } from "../../orders/reading";
import { happened, liquidationIn } from "../../state/account";
import { amendable, describe, kindOf } from "../../state/events";
import { address } from "../../state/wallet";

const number = (m: Market, price: bigint): number => Number(fixed(price, m.priceDecimals, m.priceDecimals));

export function chartLines(m: Market, positions: readonly Held[], orders: readonly Order[]): Line[] {
  const lines: Line[] = [];
  const held = positions.find((one) => one.market.ticker === m.ticker);
  if (held) {
    const side = held.size > 0n ? "Long" : "Short";
    lines.push({
      key: "entry",
      kind: "entry",
      price: number(m, held.entry),
      text: `${side} ${size(m, held.size < 0n ? -held.size : held.size)} ${signedUsd(held.unrealized)}`,
    });
    const liquidation = liquidationIn(held);
    if (liquidation !== null)
      lines.push({ key: "liquidation", kind: "liquidation", price: number(m, liquidation), text: "Liquidation" });
  }
  const guards = new Set(held ? guarding(orders) : []);
  for (const order of orders) {
    if (order.ticker !== m.ticker) continue;
    // The limit of what trades at once is a bound, not a place where it rests.
    if (order.immediate && !order.triggerPrice) continue;
    const waits = order.status === "UNTRIGGERED" && order.triggerPrice;
    if (guards.has(order)) {
      const profit = order.type.startsWith("TAKE_PROFIT");
      lines.push({
        key: order.id,
        kind: profit ? "profit" : "stop",
        price: Number(order.triggerPrice),
        text: profit ? "Take profit" : order.type === "TRAILING_STOP" ? "Trailing stop" : "Stop",
        movable: amendable(order),
      });
    } else {
      lines.push({
        key: order.id,
        kind: order.side === "BUY" ? "buy" : "sell",
        price: Number(waits ? order.triggerPrice : order.price),
        text: waits ? `${kindOf(order)}: ${describe(order)}` : describe(order),
        movable: amendable(order),
      });
    }
  }
  return lines;
}

/** Keeps the account's own fills on the bars in which they happened. */
export function chartMarks(m: Market, seconds: number, show: (marks: Mark[]) => void): () => void {
  return effect(() => {
    happened.value;
    const whose = address.value;
    if (!whose) return show([]);
    reads.fills({ address: whose }).then(
      (fills) => {
        const marks = new Map<string, Mark & { count: number }>();
        for (const fill of fills) {
          if (fill.market !== m.ticker) continue;
          const time = Math.floor(Date.parse(fill.createdAt) / 1000 / seconds) * seconds;
          const key = `${time}${fill.side}`;
          const count = (marks.get(key)?.count ?? 0) + 1;
          marks.set(key, { time, buy: fill.side === "BUY", count, text: count > 1 ? `${count}×` : "" });
        }
        show([...marks.values()].sort((a, b) => a.time - b.time));
      },
      () => {},
    );
  });
}
