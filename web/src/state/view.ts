// SPDX-License-Identifier: AGPL-3.0-only
/** Which dialog is open, and what other parts of the page ask of the ticket. */

import { signal } from "@preact/signals";

export type Dialog =
  | { kind: "connect" }
  | { kind: "deposit"; into?: number }
  | { kind: "transfer" }
  | { kind: "withdraw" }
  | { kind: "palette" }
  | { kind: "alerts" }
  | { kind: "closePosition"; market: string }
  | { kind: "exits"; market: string }
  | { kind: "amend"; order: string; price?: string }
  | { kind: "confirm"; title: string; lines: [string, string][]; action: string; run: () => void };

export const dialog = signal<Dialog | null>(null);
/** A menu of the header is open: what it half covers is not to be hit by who aims at it. */
export const menuOpen = signal(false);

/** A price that was clicked in the book or on the chart; `nonce` makes the same price count twice. */
export const pickedPrice = signal<{ text: string; nonce: number } | null>(null);
/** The side that a key or the phone's bar asks for. */
export const askedSide = signal<{ buy: boolean; nonce: number } | null>(null);
export const ticketOpen = signal(false);

let nonce = 0;

export function pick(text: string): void {
  pickedPrice.value = { text, nonce: ++nonce };
}

export function askSide(buy: boolean): void {
  askedSide.value = { buy, nonce: ++nonce };
  ticketOpen.value = true;
}
