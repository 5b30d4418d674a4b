// SPDX-License-Identifier: AGPL-3.0-only
/** EIP-712: what is signed, and its digest. Types and domains are those that /v4/config announces. */

import { hashTypedData } from "viem/utils";
import type { Config, Domain, TypedField } from "../api/types";

export type Field = string | boolean | number | bigint | string[];
export type Message = Record<string, Field>;
export type Primary = "Order" | "CancelOrder" | "CancelAll" | "SessionKey" | "Withdrawal" | "ReadAccount";

/** Not announced by every exchange of this version, so it is known here. */
const READ_ACCOUNT: TypedField[] = [
  { name: "account", type: "address" },
  { name: "expiry", type: "uint32" },
];

export function fieldsOf(types: Config["types"], primary: Primary): TypedField[] {
  const fields = types[primary] ?? (primary === "ReadAccount" ? READ_ACCOUNT : undefined);
  if (!fields) throw new Error(`The exchange announces no message called ${primary}.`);
  return fields;
}

export function digest(types: Config["types"], domain: Domain, primary: Primary, message: Message): `0x${string}` {
  return hashTypedData({
    domain,
    types: { [primary]: fieldsOf(types, primary) },
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
export function typedData(types: Config["types"], domain: Domain, primary: Primary, message: Message): string {
  const domainType = types.EIP712Domain ?? [
    { name: "name", type: "string" },
    { name: "version", type: "string" },
    { name: "chainId", type: "uint256" },
    { name: "verifyingContract", type: "address" },
  ];
  return JSON.stringify({
    types: { EIP712Domain: domainType, [primary]: fieldsOf(types, primary) },
    primaryType: primary,
    domain,
    message: wire(message),
  });
}
