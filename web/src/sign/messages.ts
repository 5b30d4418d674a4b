// SPDX-License-Identifier: AGPL-3.0-only
/** EIP-712: what is signed, and its digest. The types are the protocol's own, whatever a server announces. */

import { hashTypedData } from "viem/utils";
import type { Domain } from "../api/types";
import { TYPES } from "./types";

export type Field = string | boolean | number | bigint | string[];
export type Message = Record<string, Field> & { account: string };

export type Primary = Exclude<keyof typeof TYPES, "EIP712Domain">;

export function digest(domain: Domain, primary: Primary, message: Message): `0x${string}` {
  return hashTypedData({
    domain,
    types: { [primary]: TYPES[primary] },
    primaryType: primary,
    message,
  } as Parameters<typeof hashTypedData>[0]);
}

/** Whole numbers as digits in a string: JSON's own numbers lose the large ones. */
export function wire(message: Message): Record<string, string | boolean | number | string[]> {
  return Object.fromEntries(
    Object.entries(message).map(([name, value]) => [name, typeof value === "bigint" ? value.toString() : value]),
  );
}

/** What `eth_signTypedData_v4` takes. */
export function typedData(domain: Domain, primary: Primary, message: Message): string {
  return JSON.stringify({
    types: { EIP712Domain: TYPES.EIP712Domain, [primary]: TYPES[primary] },
    primaryType: primary,
    domain,
    message: wire(message),
  });
}
