// SPDX-License-Identifier: AGPL-3.0-only
/** What a wallet is to the app: EIP-1193, wherever it comes from. */

export interface Wallet {
  /** Of this page. What is remembered is `rdns`, where there is one. */
  id: string;
  name: string;
  rdns?: string;
  icon?: string;
  development?: boolean;
  request(method: string, params?: unknown[]): Promise<unknown>;
  on?<T>(event: string, listener: (value: T) => void): () => void;
}

/** The person said no in the wallet. */
export const isRejection = (error: unknown): boolean => (error as { code?: number })?.code === 4001;

export class WalletError extends Error {}

export const OTHER_ACCOUNT = "Your wallet has changed to another account meanwhile. Begin again with that one.";

/** A sentence for whatever a wallet threw. */
export function explain(error: unknown): string {
  if (isRejection(error)) return "You declined the request in your wallet. Nothing was sent.";
  const told = error as { message?: string; data?: { message?: string }; shortMessage?: string };
  return told?.data?.message || told?.shortMessage || told?.message || "The wallet gave no reason.";
}
