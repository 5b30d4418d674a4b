// SPDX-License-Identifier: AGPL-3.0-only
/** The session key of this browser for the connected account. It signs orders and cancels, and moves no money. */

import { computed, effect, signal } from "@preact/signals";
import type { Hex } from "../sign/local";
import * as store from "../wallet/store";
import { settings } from "./settings";
import { config, now } from "./venue";
import { address } from "./wallet";

export interface SessionKey {
  key: Hex;
  address: Hex;
  name: string;
  markets: string[];
  expiry: number;
}

export const sessionKey = signal<SessionKey | null>(null);

const placeOf = (owner: string | null): string | null => {
  const exchange = config.value?.domain.verifyingContract;
  return exchange && owner ? `${config.value!.chainId}/${exchange}/${owner}` : null;
};
const place = (): string | null => placeOf(address.value);

effect(() => {
  const where = place();
  sessionKey.value = null;
  if (where) {
    store.read<SessionKey>(where).then(
      (found) => {
        if (found && place() === where) sessionKey.value = found;
      },
      () => {},
    );
  }
});

/** A key is used until a minute before its expiry: fills settle after they match. */
export const usable = computed(() => sessionKey.value !== null && sessionKey.value.expiry > now.value / 1000 + 60);

export const oneClick = computed(() => settings.value.oneClick && usable.value);

export const covers = (market: string): boolean =>
  oneClick.value && (sessionKey.value!.markets.length === 0 || sessionKey.value!.markets.includes(market));

/** Keeps a key of `owner`, who need not be connected any more: a registration takes its time. */
export async function keep(owner: string, key: SessionKey): Promise<void> {
  const where = placeOf(owner);
  if (where) await store.write(where, key);
  if (place() === where) sessionKey.value = key;
}

/** Takes the key of `owner` out of this browser; on chain it stays what it is. */
export async function forget(owner: string): Promise<void> {
  const where = placeOf(owner);
  if (where) await store.remove(where);
  if (place() === where) sessionKey.value = null;
}
