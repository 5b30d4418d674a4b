// SPDX-License-Identifier: AGPL-3.0-only
/** Moving money: what the wallet holds, deposits, withdrawals. */

import { request } from "../api/client";
import type { Config } from "../api/types";
import { asker, send, view } from "../chain/calls";
import { nextMs } from "../orders/build";
import type { Hex } from "../sign/local";
import { explain, OTHER_ACCOUNT, type Wallet, WalletError } from "../wallet/types";
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

/**
 * A transaction of `owner`, whom the page showed: refused when the wallet has changed to somebody else since. `told`: by
 * whoever asked for it, so that the stream's word is no news.
 */
async function act(
  owner: string,
  contract: keyof Config["contracts"],
  name: string,
  args: readonly unknown[],
  told = false,
): Promise<string> {
  const { wallet: with_, ask, from, contracts, venue } = parts();
  if (from !== owner) throw new WalletError(OTHER_ACCOUNT);
  try {
    return await send(
      with_,
      venue.chainId,
      ask,
      from,
      contracts[contract],
      name,
      args,
      told ? expectTransfer : undefined,
    );
  } catch (error) {
    throw new WalletError(explain(error));
  }
}

export const approve = (owner: string, amount: bigint): Promise<string> =>
  act(owner, "usdc", "approve", [parts().contracts.vault, amount]);
export const deposit = (owner: string, amount: bigint, into: number, told = false): Promise<string> =>
  act(owner, "vault", "deposit", [owner, BigInt(into), amount], told);
export const requestWithdrawal = (owner: string, amount: bigint): Promise<string> =>
  act(owner, "vault", "request_withdrawal", [BigInt(number.value), amount, owner]);
export const executeWithdrawal = (owner: string, id: string): Promise<string> =>
  act(owner, "vault", "execute_withdrawal", [BigInt(id)], true);
export const cancelWithdrawal = (owner: string, id: string): Promise<string> =>
  act(owner, "vault", "cancel_withdrawal", [BigInt(id)]);

/** Paid at once to the owner: signed here, co-signed by the operator, executed by the wallet. */
export async function withdrawNow(
  owner: string,
  amount: bigint,
  step: (at: "sign" | "cosign" | "send") => void,
  source = number.value,
): Promise<string> {
  const ms = nextMs();
  const withdrawal = {
    account: owner,
    subaccount: source,
    amount,
    to: owner,
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
  return act(owner, "vault", "withdraw_signed", [packed, signature, cosignature], true);
}

export const registerKey = (
  owner: string,
  key: string,
  markets: readonly bigint[],
  budget: bigint,
  expiry: bigint,
): Promise<string> =>
  act(owner, "exchange", "register_session_key", [owner, key, markets, budget, expiry, BigInt(nextMs()), "0x"]);

export const revokeKey = (owner: string, key: string): Promise<string> =>
  act(owner, "exchange", "revoke_session_key", [owner, key]);
