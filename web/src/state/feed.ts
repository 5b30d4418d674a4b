// SPDX-License-Identifier: AGPL-3.0-only
/** Book and tape of the market that is shown. */

import { computed, effect, signal } from "@preact/signals";
import type { Trade } from "../api/types";
import { lots, priceUnits } from "../money/market";
import { Book, type BookContents, type Level } from "../stream/book";
import { conflated } from "../stream/conflate";
import { market, stream } from "./venue";

export interface Sides {
  bids: Level[];
  asks: Level[];
}

const TAPE_ROWS = 60;

export const book = signal<Sides | null>(null);
export const tape = signal<Trade[] | null>(null);
export const best = computed(() => ({
  bid: book.value?.bids[0]?.price,
  ask: book.value?.asks[0]?.price,
}));

/** Half way between the best prices, in price units; null while a side is empty. */
export const mid = computed<bigint | null>(() => {
  const { bid, ask } = best.value;
  return bid === undefined || ask === undefined ? null : BigInt(Math.round((bid + ask) / 2));
});

export const lastTrade = computed(() => tape.value?.[0] ?? null);

let followed = "";
let leave = () => {};

effect(() => {
  const shown = market.value;
  if (!shown || shown.ticker === followed) return;
  leave();
  followed = shown.ticker;
  book.value = null;
  tape.value = null;
  const held = new Book(
    (text) => Number(priceUnits(shown, text)),
    (text) => Number(lots(shown, text)),
  );
  const feed = {
    channel: "v4_orderbook",
    id: shown.ticker,
    snapshot(contents: BookContents) {
      held.reset(contents);
      show();
    },
    update(contents: BookContents) {
      if (held.apply(contents)) show();
      else stream.renew(feed);
    },
  };
  const show = conflated(() => {
    if (followed !== shown.ticker) return;
    const sides = held.sides();
    if (held.agrees(sides)) book.value = sides;
    else stream.renew(feed);
  });
  const leaveBook = stream.follow(feed);
  let rows: Trade[] = [];
  const showTape = conflated(() => {
    if (followed === shown.ticker) tape.value = rows;
  }, 100);
  const leaveTape = stream.follow({
    channel: "v4_trades",
    id: shown.ticker,
    snapshot(contents: { trades: Trade[] }) {
      rows = contents.trades.slice(0, TAPE_ROWS);
      showTape();
    },
    update(contents: { trades: Trade[]; reverted?: string[] }) {
      const gone = new Set(contents.reverted ?? []);
      rows = [...contents.trades, ...rows.filter((trade) => !gone.has(trade.id))].slice(0, TAPE_ROWS);
      showTape();
    },
  });
  leave = () => {
    leaveBook();
    leaveTape();
  };
});
