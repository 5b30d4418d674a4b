// SPDX-License-Identifier: AGPL-3.0-only
/** An owner's subaccounts: each has its own margin. One is shown and traded with; the choice is kept in this browser. */

import { computed, signal } from "@preact/signals";
import type { Subaccount } from "../api/types";
import { kept } from "./settings";
import { address } from "./wallet";

const HIGHEST = 65_535;

const chosen = kept<Record<string, number>>("ouro.subaccounts", {}, (saved) =>
  Object.fromEntries(Object.entries(saved).filter(([, one]) => Number.isInteger(one) && one >= 0 && one <= HIGHEST)),
);

/** All that ever held anything, by number; null while they are read. */
export const subaccounts = signal<readonly Subaccount[] | null>(null);

/** The number of the one that is shown and traded with. */
export const number = computed(() => (address.value ? (chosen.value[address.value] ?? 0) : 0));

export function choose(one: number): void {
  if (address.value) chosen.value = { ...chosen.value, [address.value]: one };
}

export const nameOf = (one: number): string => (one === 0 ? "Main" : `Subaccount ${one}`);

/** The smallest number that has held nothing yet. */
export const nextNumber = computed(() => {
  const taken = new Set((subaccounts.value ?? []).map((one) => one.subaccountNumber));
  let free = 0;
  while (taken.has(free)) free += 1;
  return free;
});

/** Numbers to choose among: those that hold or held something, and the one that is shown. */
export const numbers = computed(() =>
  [...new Set([...(subaccounts.value ?? []).map((one) => one.subaccountNumber), number.value])].sort((a, b) => a - b),
);

export const subaccountOf = (one: number): Subaccount | null =>
  subaccounts.value?.find((each) => each.subaccountNumber === one) ?? null;
