// SPDX-License-Identifier: AGPL-3.0-only
/** The connected wallet: one address, one chain. */

import { computed, signal } from "@preact/signals";
import { announced } from "../wallet/discovery";
import { explain, type Wallet, WalletError } from "../wallet/types";
import { config } from "./venue";

const REMEMBERED = "ouro.wallet";
const UNKNOWN_CHAIN = 4902;
const LOCAL_CHAIN = 31337;

export const wallet = signal<Wallet | null>(null);
export const address = signal<string | null>(null);
export const walletChain = signal<number | null>(null);
export const connecting = signal<string | null>(null);

export const wrongChain = computed(
  () => walletChain.value !== null && config.value !== null && walletChain.value !== config.value.chainId,
);
/** Only on a local chain whose exchange gives away test money. */
export const developmentOffered = computed(
  () => config.value?.chainId === LOCAL_CHAIN && Boolean(config.value.faucet) && Boolean(config.value.rpcUrl),
);

let unlisten: (() => void)[] = [];

export async function development(): Promise<Wallet> {
  const { developmentWallet } = await import("../wallet/development");
  return developmentWallet(config.value!.rpcUrl!);
}

/** Asks the wallet for an account. `silently` takes only what was allowed before. */
export async function connect(chosen: Wallet, silently = false): Promise<void> {
  connecting.value = chosen.id;
  try {
    const accounts = (await chosen.request(silently ? "eth_accounts" : "eth_requestAccounts")) as string[];
    const first = accounts[0];
    if (!first) {
      if (silently) return;
      throw new WalletError("The wallet offers no account.");
    }
    const chain = Number(await chosen.request("eth_chainId"));
    unlisten.forEach((stop) => stop());
    wallet.value = chosen;
    walletChain.value = chain;
    await settle(first);
    unlisten = [
      chosen.on?.("accountsChanged", (changed: string[]) => {
        if (changed[0]) void settle(changed[0]);
        else disconnect();
      }),
      chosen.on?.("chainChanged", (changed: string) => (walletChain.value = Number(changed))),
      chosen.on?.("disconnect", () => disconnect()),
    ].filter((stop) => stop !== undefined);
    localStorage.setItem(REMEMBERED, chosen.rdns ?? chosen.id);
  } catch (error) {
    if (!silently) throw error instanceof WalletError ? error : new WalletError(explain(error));
  } finally {
    connecting.value = null;
  }
}

async function settle(account: string): Promise<void> {
  // Loaded here: keccak is not needed before somebody connects.
  const { getAddress } = await import("viem/utils");
  address.value = getAddress(account);
}

export function disconnect(): void {
  unlisten.forEach((stop) => stop());
  unlisten = [];
  wallet.value = null;
  address.value = null;
  walletChain.value = null;
  localStorage.removeItem(REMEMBERED);
}

/** Connects what was connected last time, without asking. */
export async function reconnect(): Promise<void> {
  const id = localStorage.getItem(REMEMBERED);
  if (!id || wallet.value) return;
  if (id === "development") {
    if (developmentOffered.value) await connect(await development(), true);
    return;
  }
  // Of two that call themselves the same one is a fake, and nobody knows which.
  const [known, ...others] = announced.value.filter((one) => one.rdns === id);
  if (known && others.length === 0) await connect(known, true);
}

/** Asks the wallet to change to the exchange's chain, and to add it when it does not know it. */
export async function switchChain(): Promise<void> {
  const { value: venue } = config;
  const chosen = wallet.value;
  if (!venue || !chosen) return;
  const chainId = `0x${venue.chainId.toString(16)}`;
  try {
    await chosen.request("wallet_switchEthereumChain", [{ chainId }]);
  } catch (error) {
    if ((error as { code?: number }).code !== UNKNOWN_CHAIN || !venue.rpcUrl) throw new WalletError(explain(error));
    await chosen.request("wallet_addEthereumChain", [
      {
        chainId,
        chainName: `Ouro ${venue.name}`,
        nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
        rpcUrls: [venue.rpcUrl],
      },
    ]);
    // Adding a chain need not change to it.
    await chosen.request("wallet_switchEthereumChain", [{ chainId }]);
  }
  walletChain.value = Number(await chosen.request("eth_chainId"));
}
