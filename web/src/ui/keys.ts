// SPDX-License-Identifier: AGPL-3.0-only
/** Keys that work anywhere but in a field. */

import { openOrders } from "../state/account";
import { go } from "../state/router";
import { ticker } from "../state/venue";
import { askSide, dialog } from "../state/view";
import { cancelEverything } from "./actions";

export const KEYS: readonly [string, string][] = [
  ["B", "Buy: to the ticket"],
  ["S", "Sell: to the ticket"],
  ["Enter", "In the ticket: place the order"],
  ["↑ ↓", "In a price or size: one step, with Shift ten"],
  ["Ctrl K", "Command palette and markets"],
  ["X", "Cancel all orders of the market"],
  ["T / P", "Trade page, portfolio"],
  ["?", "Help"],
  ["Esc", "Close"],
];

export function listenForKeys(): () => void {
  function onKey(event: KeyboardEvent) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      dialog.value = { kind: "palette" };
      return;
    }
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.value) return;
    if (target.closest("input, select, textarea, [role=listbox]")) return;
    const run = (
      {
        b: () => askSide(true),
        s: () => askSide(false),
        "/": () => (dialog.value = { kind: "palette" }),
        "?": () => go("/help"),
        t: () => go(`/trade/${ticker.value}`),
        p: () => go("/portfolio"),
        x: () => openOrders.value.length && cancelEverything(ticker.value),
      } as Record<string, () => unknown>
    )[event.key.toLowerCase()];
    if (!run) return;
    event.preventDefault();
    run();
  }
  addEventListener("keydown", onKey);
  return () => removeEventListener("keydown", onKey);
}
