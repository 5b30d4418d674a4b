// SPDX-License-Identifier: AGPL-3.0-only
/** A wallet for the local chain only: a random key in this browser, so that nobody needs an extension to try Ouro. */

import { hashTypedData, keccak256, numberToHex, serializeTransaction } from "viem/utils";
import { rpc } from "../chain/rpc";
import { addressOf, type Hex, newKey, signDigest, signParts } from "../sign/local";
import type { Wallet } from "./types";

const PLACE = "ouro.development-wallet";
export const LOCAL_CHAIN = 31337;
export const DEVELOPMENT_ID = "development";

interface Transaction {
  to: Hex;
  data?: Hex;
  value?: Hex;
}

export function developmentWallet(rpcUrl: string): Wallet {
  const key = (localStorage.getItem(PLACE) as Hex | null) ?? newKey();
  localStorage.setItem(PLACE, key);
  const address = addressOf(key);
  const node = (method: string, params: unknown[]) => rpc(rpcUrl, method, params);

  async function send(transaction: Transaction): Promise<unknown> {
    const call = { from: address, ...transaction };
    const [nonce, gas, price] = (await Promise.all([
      node("eth_getTransactionCount", [address, "pending"]),
      node("eth_estimateGas", [call]),
      node("eth_gasPrice", []),
    ])) as [Hex, Hex, Hex];
    const unsigned = {
      type: "eip1559" as const,
      chainId: LOCAL_CHAIN,
      nonce: Number(nonce),
      gas: (BigInt(gas) * 13n) / 10n,
      maxFeePerGas: BigInt(price) * 2n + 1_000_000_000n,
      maxPriorityFeePerGas: 1_000_000_000n,
      to: transaction.to,
      data: transaction.data ?? "0x",
      value: BigInt(transaction.value ?? 0),
    };
    const { r, s, parity } = signParts(keccak256(serializeTransaction(unsigned)), key);
    const word = (value: bigint) => numberToHex(value, { size: 32 });
    return node("eth_sendRawTransaction", [
      serializeTransaction(unsigned, { r: word(r), s: word(s), yParity: parity }),
    ]);
  }

  return {
    id: DEVELOPMENT_ID,
    name: "Development wallet",
    development: true,
    async request(method, params = []) {
      switch (method) {
        case "eth_requestAccounts":
        case "eth_accounts":
          return [address];
        case "eth_chainId":
          return numberToHex(LOCAL_CHAIN);
        case "eth_signTypedData_v4":
          return signDigest(hashTypedData(JSON.parse(params[1] as string)), key);
        case "eth_sendTransaction":
          return send(params[0] as Transaction);
        default:
          return node(method, params);
      }
    },
  };
}
