// SPDX-License-Identifier: AGPL-3.0-only
/** Who signs what: the session key where one-click trading is on and its scope allows, else the wallet. */

import { signDigest } from "../sign/local";
import { digest, type Message, type Primary, typedData, wire } from "../sign/messages";
import { explain, OTHER_ACCOUNT, WalletError } from "../wallet/types";
import { covers, oneClick, sessionKey } from "./session-key";
import { config } from "./venue";
import { address, wallet, wrongChain } from "./wallet";

export interface Signed {
  signature: string;
  digest: `0x${string}`;
  by: "owner" | "session";
}

const BY_SESSION: ReadonlySet<Primary> = new Set(["Order", "CancelOrder", "CancelAll", "ReadAccount"]);

/** `owner` insists on the wallet. Raises `WalletError` with a sentence when nobody signs. */
export async function sign(primary: Primary, message: Message, options: { owner?: boolean } = {}): Promise<Signed> {
  const venue = config.value;
  if (!venue || !wallet.value || !address.value) throw new WalletError("Connect a wallet first.");
  // Somebody may have changed to another account since what is signed was put together.
  if (message.account !== address.value) throw new WalletError(OTHER_ACCOUNT);
  const domain = primary === "Withdrawal" ? venue.vaultDomain : venue.domain;
  const hash = digest(domain, primary, message);
  const inScope = primary === "Order" ? covers(String(message.market)) : oneClick.value;
  if (!options.owner && BY_SESSION.has(primary) && inScope && sessionKey.value) {
    return { signature: signDigest(hash, sessionKey.value.key), digest: hash, by: "session" };
  }
  if (wrongChain.value) {
    throw new WalletError(`Your wallet is on another chain. Switch it to chain ${venue.chainId} and try again.`);
  }
  try {
    const signature = (await wallet.value.request("eth_signTypedData_v4", [
      address.value,
      typedData(domain, primary, message),
    ])) as string;
    return { signature, digest: hash, by: "owner" };
  } catch (error) {
    throw new WalletError(explain(error));
  }
}

export { wire };
