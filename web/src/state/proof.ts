// SPDX-License-Identifier: AGPL-3.0-only
/** The owner's proof: a signature that lets this browser read orders that wait, for a day. Kept for this tab only. */

import { effect, signal } from "@preact/signals";
import { oneClick } from "./session-key";
import { config } from "./venue";
import { address, wallet } from "./wallet";

const PLACE = "ouro.read-proof";
const LIFETIME_S = 86_000;

export const proof = signal<string | undefined>(undefined);

interface Saved {
  account: string;
  exchange: string;
  expiry: number;
  proof: string;
}

function read(): Saved | null {
  try {
    return JSON.parse(sessionStorage.getItem(PLACE) ?? "null") as Saved | null;
  } catch {
    return null;
  }
}

let before: string | null = null;

effect(() => {
  const account = address.value;
  // Who disconnects, or gives way to somebody else, leaves nothing to read with.
  if (before && account !== before) sessionStorage.removeItem(PLACE);
  before = account;
  const exchange = config.value?.domain.verifyingContract;
  const saved = read();
  const good =
    saved && saved.account === account && saved.exchange === exchange && saved.expiry > Date.now() / 1000 + 60;
  proof.value = good ? saved.proof : undefined;
});

/** Signs the proof: with a session key in silence, else by the wallet. */
export async function prove(): Promise<void> {
  const account = address.value;
  const exchange = config.value?.domain.verifyingContract;
  if (!account || !exchange) return;
  const { sign } = await import("./signer");
  const expiry = Math.floor(Date.now() / 1000) + LIFETIME_S;
  const { signature } = await sign("ReadAccount", { account, expiry });
  const made = `${expiry}:${signature}`;
  sessionStorage.setItem(PLACE, JSON.stringify({ account, exchange, expiry, proof: made } satisfies Saved));
  if (address.value === account) proof.value = made;
}

let refusedAt = 0;
const REFUSED_REST_MS = 60_000;

/** The exchange did not take it: it has ended, or its key was revoked. */
export function dropProof(): void {
  refusedAt = Date.now();
  sessionStorage.removeItem(PLACE);
  proof.value = undefined;
}

/** Where no wallet would ask, the proof is made as soon as somebody connects. */
effect(() => {
  const silent = wallet.value?.development || oneClick.value;
  const rested = Date.now() - refusedAt > REFUSED_REST_MS;
  if (silent && rested && address.value && config.value && proof.value === undefined) void prove().catch(() => {});
});
