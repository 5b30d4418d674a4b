// SPDX-License-Identifier: AGPL-3.0-only
/** The JSON that contracts, SDK and services are bound to, read as whole numbers. */

import { readFileSync } from "node:fs";

export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../tests/vectors/${name}.json`, import.meta.url), "utf-8")) as T;
}

/** As in the files: large numbers are digits in a string. */
export type Int = string | number;
export const int = (value: Int): bigint => BigInt(value);
