// SPDX-License-Identifier: AGPL-3.0-only
/** Moving money: what the wallet holds, deposits, withdrawals. */

import { request } from "../api/client";
import { asker, send, view } from "../chain/calls";
import { nextMs } from "../orders/build";
import type { Hex } from "../sign/local";
import { explain, type Wallet, WalletError } from "../wallet/types";
import { expectTransfer } from "./events";
import { sign, wire } from "./signer";
import { number } from "./subaccounts";
import { config } from "./venue";
import { address, wallet, wrongChain } from "./wallet";

const SIGNED_FOR_S = 300;

function parts() {
  const venue = config.value;
  const with_: Wallet | null = wallet.value;
  const from = address.value;
  if (!venue || !with_ || !from) throw new WalletError("Connect a wallet first.");
  if (wrongChain.value) throw new WalletError(`Your wallet is on another chain. Switch it to chain ${venue.chainId}.`);
  return { venue, from, ask: asker(venue.rpcUrl, with_), wallet: with_, contracts: venue.contracts };
}

export interface Funds {
  /** Micro-USDC in the wallet. */
  balance: bigint;
  allowance: bigint;
  /** Wei, for transaction fees. */
  ether: bigint;
}

export async function funds(): Promise<Funds> {
  const { ask, contracts, from } = parts();
  const [balance, allowance, ether] = await Promise.all([
    view<bigint>(ask, contracts.usdc, "balanceOf", [from]),
    view<bigint>(ask, contracts.usdc, "allowance", [from, contracts.vault]),
    ask("eth_getBalance", [from, "latest"]).then((told) => BigInt(told as string)),
  ]);
  return { balance, allowance, ether };
}

/** What may leave the vault now for this owner, micro-USDC: by request, and at once. */
export async function room(): Promise<{ queued: bigint; instant: bigint }> {
  const { ask, contracts, from } = parts();
  const [queued, instant] = await view<readonly [bigint, bigint]>(ask, contracts.vault, "outflow_room_of", [from]);
  return { queued, instant };
}

/** `told`: by whoever asked for it, so that the stream's word is no news. */
async function act(to: string, name: string, args: readonly unknown[], told = false): Promise<string> {
  const { wallet: with_, ask, from } = parts();
  try {
    return await send(with_, ask, from, to, name, args, told ? expectTransfer : undefined);
  } catch (error) {
    throw new WalletError(explain(error));
  }
}

export const approve = (amount: bigint): Promise<string> =>
  act(parts().contracts.usdc, "approve", [parts().contracts.vault, amount]);
export const deposit = (amount: bigint, into: number, told = false): Promise<string> =>
  act(parts().contracts.vault, "deposit", [parts().from, BigInt(into), amount], told);
export const requestWithdrawal = (amount: bigint): Promise<string> =>
  act(parts().contracts.vault, "request_withdrawal", [BigInt(number.value), amount, parts().from]);
export const executeWithdrawal = (id: string): Promise<string> =>
  act(parts().contracts.vault, "execute_withdrawal", [BigInt(id)], true);
export const cancelWithdrawal = (id: string): Promise<string> =>
  act(parts().contracts.vault, "cancel_withdrawal", [BigInt(id)]);

/** Paid at once to the owner: signed here, co-signed by the operator, executed by the wallet. */
export async function withdrawNow(
  amount: bigint,
  step: (at: "sign" | "cosign" | "send") => void,
  source = number.value,
): Promise<string> {
  const { from, contracts } = parts();
  const ms = nextMs();
  const withdrawal = {
    account: from,
    subaccount: source,
    amount,
    to: from,
    nonce: BigInt(ms) * 1000n + BigInt(crypto.getRandomValues(new Uint32Array(1))[0]! % 1000),
    deadline: Math.floor(ms / 1000) + SIGNED_FOR_S,
  };
  step("sign");
  const { signature } = await sign("Withdrawal", withdrawal);
  step("cosign");
  const { cosignature } = await request<{ cosignature: Hex }>("/v4/withdrawals", {
    method: "POST",
    body: { withdrawal: wire(withdrawal), signature },
  });
  step("send");
  const packed = { ...withdrawal, subaccount: BigInt(source), deadline: BigInt(withdrawal.deadline) };
  return act(contracts.vault, "withdraw_signed", [packed, signature, cosignature], true);
}

export const registerKey = (key: string, markets: readonly bigint[], budget: bigint, expiry: bigint): Promise<string> =>
  act(parts().contracts.exchange, "register_session_key", [
    parts().from,
    key,
    markets,
    budget,
    expiry,
    BigInt(nextMs()),
    "0x",
  ]);

export const revokeKey = (key: string): Promise<string> =>
  act(parts().contracts.exchange, "revoke_session_key", [parts().from, key]);
