// SPDX-License-Identifier: AGPL-3.0-only
/** What stands in the ticket. It outlives the page that shows it, not the tab. */

import { effect, signal } from "@preact/signals";
import { ticker } from "../../../state/venue";
import { askedSide, pickedPrice } from "../../../state/view";

export const KINDS = [
  ["STOP_MARKET", "Stop market"],
  ["STOP_LIMIT", "Stop limit"],
  ["TAKE_PROFIT_MARKET", "Take profit"],
  ["TAKE_PROFIT_LIMIT", "Take profit limit"],
  ["SCALE", "Scale"],
  ["TWAP", "TWAP"],
  ["TRAILING", "Trailing stop"],
] as const;

export type Kind = "LIMIT" | "MARKET" | (typeof KINDS)[number][0];
export type TicketTif = "GTT" | "IOC" | "FOK";

export const kind = signal<Kind>("LIMIT");
export const buy = signal(true);
export const price = signal("");
export const lastPrice = signal("");
export const trigger = signal("");
export const size = signal("");
export const tif = signal<TicketTif>("GTT");
export const postOnly = signal(false);
export const reduceOnly = signal(false);
export const exitsOn = signal(false);
export const takeProfit = signal("");
export const stopLoss = signal("");
export const parts = signal("5");
export const minutes = signal("30");
export const distance = signal("");

export const triggered = (one: Kind): boolean => one.startsWith("STOP") || one.startsWith("TAKE_PROFIT");
export const hasLimit = (one: Kind): boolean => one === "LIMIT" || one.endsWith("_LIMIT") || one === "SCALE";

export function clear(): void {
  for (const field of [price, lastPrice, trigger, size, takeProfit, stopLoss, distance]) field.value = "";
}

effect(() => {
  ticker.value;
  clear();
});

effect(() => {
  const picked = pickedPrice.value;
  if (!picked) return;
  const now = kind.peek();
  if (now === "MARKET") kind.value = "LIMIT";
  if (now === "STOP_MARKET" || now === "TAKE_PROFIT_MARKET") trigger.value = picked.text;
  else price.value = picked.text;
});

effect(() => {
  if (askedSide.value) buy.value = askedSide.value.buy;
});
