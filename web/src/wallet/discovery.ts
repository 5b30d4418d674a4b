// SPDX-License-Identifier: AGPL-3.0-only
/** Wallets that announce themselves (EIP-6963). What they say of themselves is anybody's word: it is shown, not believed. */

import { signal } from "@preact/signals";
import type { Wallet } from "./types";

interface Provider {
  request(args: { method: string; params?: unknown[] }): Promise<unknown>;
  on?(event: string, listener: (value: unknown) => void): void;
  removeListener?(event: string, listener: (value: unknown) => void): void;
}

const MOST = 24;
const LONGEST_NAME = 40;
/** Nothing that is drawn by nobody, or turns the direction of what follows. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

export const announced = signal<Wallet[]>([]);

/** Whether another wallet goes by the same name or the same `rdns`. */
export const doubtful = (wallet: Wallet): boolean =>
  announced.value.some((one) => one !== wallet && (one.name === wallet.name || one.rdns === wallet.rdns));

export function discover(): void {
  addEventListener("eip6963:announceProvider", (event) => {
    const wallet = announcedBy((event as CustomEvent<unknown>).detail);
    if (!wallet || announced.value.length >= MOST || announced.value.some((one) => one.id === wallet.id)) return;
    announced.value = [...announced.value, wallet];
  });
  dispatchEvent(new Event("eip6963:requestProvider"));
}

/** The wallet of an announcement; null for one that lacks what the standard asks for. */
export function announcedBy(detail: unknown): Wallet | null {
  const { info, provider } = (detail ?? {}) as { info?: Record<string, unknown>; provider?: Provider };
  const { uuid, name, icon, rdns } = info ?? {};
  if (typeof uuid !== "string" || typeof name !== "string" || typeof rdns !== "string") return null;
  if (typeof provider?.request !== "function") return null;
  const shown = name.replace(INVISIBLE, "").trim().slice(0, LONGEST_NAME) || "A wallet without a name";
  // Only data: images are shown, as EIP-6963 asks; anything else would be a request to somebody.
  const image = typeof icon === "string" && icon.startsWith("data:image/") ? icon : undefined;
  return injected(uuid, shown, rdns.replace(INVISIBLE, "").slice(0, 2 * LONGEST_NAME), image, provider);
}

function injected(id: string, name: string, rdns: string, icon: string | undefined, provider: Provider): Wallet {
  return {
    id,
    name,
    rdns,
    ...(icon ? { icon } : {}),
    request: (method, params = []) => provider.request({ method, params }),
    on(event, listener) {
      const heard = listener as (value: unknown) => void;
      provider.on?.(event, heard);
      return () => provider.removeListener?.(event, heard);
    },
  };
}
