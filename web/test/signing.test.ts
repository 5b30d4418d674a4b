// SPDX-License-Identifier: AGPL-3.0-only

import { hashTypedData, recoverAddress } from "viem/utils";
import { describe, expect, it } from "vitest";
import type { Domain, TypedField } from "../src/api/types";
import { message } from "../src/orders/build";
import { addressOf, newKey, signDigest } from "../src/sign/local";
import { digest, type Message, type Primary, typedData, wire } from "../src/sign/messages";
import { TYPES } from "../src/sign/types";
import { BTC } from "./markets";
import { vectors } from "./vectors";

interface MessageVector {
  name: string;
  primaryType: string;
  domain: Domain;
  message: Message;
  digest: `0x${string}`;
}

const ORDERS = vectors<{
  domain: Domain;
  types: Record<string, TypedField[]>;
  orders: { name: string; message: Message; digest: string }[];
}>("orders");

const SIGNED: readonly Primary[] = ["CancelOrder", "CancelAll", "SessionKey", "Withdrawal", "ReadAccount"];

describe("what is signed", () => {
  it("the types are those of the vectors", () => {
    expect(TYPES).toMatchObject(ORDERS.types);
  });

  it.each(ORDERS.orders)("an order has the id of the contracts: $name", (one) => {
    expect(digest(ORDERS.domain, "Order", one.message)).toBe(one.digest);
  });

  const messages = vectors<MessageVector[]>("messages").filter((one) => SIGNED.includes(one.primaryType as Primary));
  it("every message that the app signs has a vector", () => {
    expect(new Set(messages.map((one) => one.primaryType))).toEqual(new Set(SIGNED));
  });

  it.each(messages)("a message has the digest of the contracts: $name", (one) => {
    expect(digest(one.domain, one.primaryType as Primary, one.message)).toBe(one.digest);
  });

  it("a wallet that is given the JSON hashes the same", () => {
    const order = message(
      {
        market: BTC,
        buy: true,
        size: 70_368_744_177_664n,
        price: 1_099_511_627_700n,
        timeInForce: "GTT",
      },
      "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
      60,
      { generation: 1_764_547_200_123, slot: 7, revision: 0 },
    );
    const json = typedData(ORDERS.domain, "Order", order);
    expect(hashTypedData(JSON.parse(json))).toBe(digest(ORDERS.domain, "Order", order));
    expect(wire(order).size).toBe("70368744177664");
    expect(Object.keys(order)).toEqual(TYPES.Order.map((field) => field.name));
  });

  it("a key of this browser signs so that it recovers, with low s", async () => {
    for (let round = 0; round < 20; round += 1) {
      const key = newKey();
      const hash = digest(ORDERS.domain, "CancelAll", {
        account: addressOf(key),
        subaccount: 0,
        market: "",
        nonce: round,
      });
      const signature = signDigest(hash, key);
      expect(await recoverAddress({ hash, signature })).toBe(addressOf(key));
      expect(
        BigInt(`0x${signature.slice(66, 130)}`) <= 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n,
      ).toBe(true);
      expect(["1b", "1c"]).toContain(signature.slice(130));
    }
  });
});
