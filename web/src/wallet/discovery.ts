// SPDX-License-Identifier: AGPL-3.0-only
/** Wallets that announce themselves (EIP-6963). */

import { signal } from "@preact/signals";
import type { Wallet } from "./types";

interface Provider {
  request(args: { method: string; params?: unknown[] }): Promise<unknown>;
  on?(event: string, listener: (value: unknown) => void): void;
  removeListener?(event: string, listener: (value: unknown) => void): void;
}

interface Announcement {
  info: { uuid: string; name: string; icon: string; rdns: string };
  provider: Provider;
}

export const announced = signal<Wallet[]>([]);

export function discover(): void {
  addEventListener("eip6963:announceProvider", (event) => {
    const { info, provider } = (event as CustomEvent<Announcement>).detail;
    if (announced.value.some((wallet) => wallet.id === info.rdns)) return;
    // Only data: images are shown, as EIP-6963 asks; anything else would be a request to somebody.
    const icon = info.icon.startsWith("data:image/") ? info.icon : undefined;
    announced.value = [...announced.value, injected(info.rdns, info.name, icon, provider)];
  });
  dispatchEvent(new Event("eip6963:requestProvider"));
}

function injected(id: string, name: string, icon: string | undefined, provider: Provider): Wallet {
  return {
    id,
    name,
    ...(icon ? { icon } : {}),
    request: (method, params = []) => provider.request({ method, params }),
    on(event, listener) {
      const heard = listener as (value: unknown) => void;
      provider.on?.(event, heard);
      return () => provider.removeListener?.(event, heard);
    },
  };
}
