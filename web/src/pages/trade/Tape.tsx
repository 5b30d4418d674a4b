// SPDX-License-Identifier: AGPL-3.0-only
import { clock, price, size } from "../../money/format";
import { baseOf, lots, priceUnits } from "../../money/market";
import { tape } from "../../state/feed";
import { market } from "../../state/venue";
import { Empty, Skeleton } from "../../ui/bits";

const SPECIAL: Record<string, string> = {
  LIQUIDATED: "Liquidation",
  DELEVERAGED: "Deleveraging",
  CLOSED: "Close on request",
};

export function Tape() {
  const m = market.value;
  const rows = tape.value;
  if (rows && rows.length === 0) return <Empty icon="swap" text="No trades yet." />;
  return (
    <div class="tape">
      <div class="book-head" aria-hidden="true">
        <span>Price</span>
        <span>Size {m && baseOf(m.ticker)}</span>
        <span>Time</span>
      </div>
      <ol class="tape-rows" tabIndex={0} aria-label="Trades, newest first">
        {rows === null || !m
          ? Array.from({ length: 16 }, (_, row) => (
              <li key={row}>
                <Skeleton />
              </li>
            ))
          : rows.map((trade) => (
              <li key={trade.id} class="num" title={SPECIAL[trade.type]}>
                <span class={trade.side === "BUY" ? "up" : "down"}>
                  <span class="visually-hidden">{trade.side === "BUY" ? "Bought at" : "Sold at"} </span>
                  {price(m, priceUnits(m, trade.price))}
                  {trade.type in SPECIAL && " ⚡"}
                </span>
                <span>{size(m, lots(m, trade.size))}</span>
                <span class="muted">{clock(trade.createdAt)}</span>
              </li>
            ))}
      </ol>
    </div>
  );
}
