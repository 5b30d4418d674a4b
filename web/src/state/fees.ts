// SPDX-License-Identifier: AGPL-3.0-only
/** What fills cost this account: told by the published schedule and its volume of 30 days, else by its newest fills. */

import { computed, effect, signal } from "@preact/signals";
import * as reads from "../api/reads";
import { units } from "../money/decimal";
import { config } from "./venue";
import { address } from "./wallet";

export interface Tier {
  /** USDC of 30 days' volume from which it holds. */
  volume: bigint;
  takerPpm: bigint;
  makerPpm: bigint;
}

/** What an exchange without a schedule charges unless its operator says otherwise. */
const USUAL: Tier = { volume: 0n, takerPpm: 350n, makerPpm: 0n };

export const tiers = signal<Tier[]>([]);
export const volume = signal(0n);

export const tier = computed<Tier>(
  () => tiers.value.findLast((one) => one.volume <= volume.value) ?? tiers.value[0] ?? USUAL,
);

/** A published tier: volume 64 bits, taker 16, maker a signed 16. */
export function tierOf(word: bigint): Tier {
  return {
    volume: (word >> 32n) & ((1n << 64n) - 1n),
    takerPpm: (word >> 16n) & 0xffffn,
    makerPpm: BigInt.asIntN(16, word & 0xffffn),
  };
}

let asked = "";

effect(() => {
  const venue = config.value;
  // Who only looks asks the exchange and nobody else, the chain's node included.
  if (!venue?.rpcUrl || !address.value || asked === venue.contracts.exchange) return;
  asked = venue.contracts.exchange;
  const rpcUrl = venue.rpcUrl;
  // The schedule is no matter of the first second: its code is fetched when the page has settled.
  setTimeout(() => {
    void import("../chain/calls")
      .then(({ asker, view }) => view<readonly bigint[]>(asker(rpcUrl, null), venue.contracts.exchange, "fee_tiers"))
      .then((words) => (tiers.value = words.map(tierOf)))
      .catch(() => {});
  }, 4_000);
});

/** Only a schedule asks for volume. Accounts of one owner count together; who is not ranked has next to none. */
effect(() => {
  const owner = address.value;
  volume.value = 0n;
  if (!owner || tiers.value.length < 2) return;
  reads.monthlyVolumes().then(
    (rows) => {
      const own = rows.filter((row) => row.address === owner);
      if (address.value === owner) volume.value = own.reduce((sum, row) => sum + units(row.volume, 0), 0n);
    },
    () => {},
  );
});
