// SPDX-License-Identifier: AGPL-3.0-only
/** Signing with a key that this browser holds: a session key, or the development wallet. */

import { secp256k1 } from "@noble/curves/secp256k1";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils";
import { publicKeyToAddress } from "viem/utils";

export type Hex = `0x${string}`;

export function newKey(): Hex {
  return `0x${bytesToHex(secp256k1.utils.randomPrivateKey())}`;
}

export function addressOf(key: Hex): Hex {
  return publicKeyToAddress(`0x${bytesToHex(secp256k1.getPublicKey(key.slice(2), false))}`);
}

export interface Signature {
  r: bigint;
  s: bigint;
  parity: 0 | 1;
}

/** Low s, as the contracts ask. */
export function signParts(digest: Hex, key: Hex): Signature {
  const signed = secp256k1.sign(hexToBytes(digest.slice(2)), key.slice(2), { lowS: true });
  return { r: signed.r, s: signed.s, parity: signed.recovery as 0 | 1 };
}

/** r, s, v: 65 bytes. */
export function signDigest(digest: Hex, key: Hex): Hex {
  const { r, s, parity } = signParts(digest, key);
  const word = (value: bigint) => value.toString(16).padStart(64, "0");
  return `0x${word(r)}${word(s)}${(27 + parity).toString(16)}`;
}
