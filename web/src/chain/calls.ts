// SPDX-License-Identifier: AGPL-3.0-only
/** Reading contracts and sending transactions with the connected wallet. */

import { decodeFunctionResult, encodeFunctionData } from "viem/utils";
import type { Hex } from "../sign/local";
import type { Wallet } from "../wallet/types";
import { ABI } from "./abi";
import { rpc } from "./rpc";

const RECEIPT_WAIT_MS = 180_000;
const POLL_MS = 700;

/** Who answers reads: the announced node, else the wallet's own. */
export type Ask = (method: string, params: unknown[]) => Promise<unknown>;

export const asker = (rpcUrl: string | undefined, wallet: Wallet | null): Ask =>
  rpcUrl
    ? (method, params) => rpc(rpcUrl, method, params)
    : (method, params) => wallet?.request(method, params) ?? Promise.reject(new Error("No node to ask."));

type Arguments = readonly unknown[];

export const encode = (functionName: string, args: Arguments): Hex =>
  encodeFunctionData({ abi: ABI, functionName, args } as Parameters<typeof encodeFunctionData>[0]);

export async function view<T>(ask: Ask, to: string, functionName: string, args: Arguments = []): Promise<T> {
  const data = (await ask("eth_call", [{ to, data: encode(functionName, args) }, "latest"])) as Hex;
  return decodeFunctionResult({ abi: ABI, functionName, data } as Parameters<typeof decodeFunctionResult>[0]) as T;
}

/** Sends on that chain and no other, and waits until it is in a block. Throws when it failed there. */
export async function send(
  wallet: Wallet,
  chainId: number,
  ask: Ask,
  from: string,
  to: string,
  functionName: string,
  args: Arguments,
  onSent: (hash: string) => void = () => {},
): Promise<string> {
  const transaction = { from, to, data: encode(functionName, args) };
  // Asked beforehand, a refusal comes with the contract's own reason instead of a wallet's warning.
  await ask("eth_call", [transaction, "latest"]);
  // Not every wallet tells of a change, and on another chain the same address is somebody else's.
  const at = Number(await wallet.request("eth_chainId"));
  if (at !== chainId)
    throw new Error(`Your wallet is on chain ${at} now. Switch it to chain ${chainId} and try again.`);
  const bound = { ...transaction, chainId: `0x${chainId.toString(16)}` };
  const hash = (await wallet.request("eth_sendTransaction", [bound])) as string;
  onSent(hash);
  const deadline = Date.now() + RECEIPT_WAIT_MS;
  while (Date.now() < deadline) {
    const receipt = (await ask("eth_getTransactionReceipt", [hash])) as { status: string } | null;
    if (receipt) {
      if (receipt.status !== "0x1") throw new Error("The transaction failed on chain.");
      return hash;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`The transaction ${hash} is still waiting. It may yet be included.`);
}
