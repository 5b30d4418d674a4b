// SPDX-License-Identifier: AGPL-3.0-only
import { useState } from "preact/hooks";
import { config } from "../../state/venue";
import { connect, connecting, development, developmentOffered } from "../../state/wallet";
import { announced, doubtful } from "../../wallet/discovery";
import type { Wallet } from "../../wallet/types";
import { Icon } from "../Icon";
import { closeDialog, Modal } from "../Modal";

export function Connect() {
  const [problem, setProblem] = useState("");

  async function choose(find: () => Wallet | Promise<Wallet>) {
    setProblem("");
    try {
      await connect(await find());
      closeDialog();
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  const none = announced.value.length === 0;
  return (
    <Modal title="Connect a wallet">
      <p class="muted">
        Your wallet signs every order. Ouro never holds your keys, and the contracts only do what you signed.
      </p>
      {problem && (
        <p class="note bad" role="alert">
          {problem}
        </p>
      )}
      <div class="wallets">
        {announced.value.map((wallet) => (
          <button
            type="button"
            key={wallet.id}
            class="wallet"
            disabled={connecting.value !== null}
            onClick={() => void choose(() => wallet)}
          >
            {wallet.icon ? <img src={wallet.icon} alt="" width="28" height="28" /> : <Icon name="wallet" size={24} />}
            <span class="grow">
              {wallet.name}
              {doubtful(wallet) && <small>{wallet.rdns}</small>}
            </span>
            {connecting.value === wallet.id ? (
              <span class="spinner" role="img" aria-label="Waiting for the wallet" />
            ) : (
              <span class="badge">Installed</span>
            )}
          </button>
        ))}
        {developmentOffered.value && (
          <button
            type="button"
            class="wallet"
            disabled={connecting.value !== null}
            onClick={() => void choose(development)}
          >
            <Icon name="bolt" size={24} />
            <span class="grow">
              Development wallet
              <small>Local chain only. A key made in this browser, for test money.</small>
            </span>
            <span class="badge warn">Chain {config.value?.chainId}</span>
          </button>
        )}
      </div>
      {announced.value.some(doubtful) && (
        <p class="note warn">
          Two wallets here go by the same name, so one may be a fake. Choose none before you know which extension is
          whose.
        </p>
      )}
      {none && (
        <p class="note">
          No wallet extension was found in this browser.{" "}
          {developmentOffered.value
            ? "The development wallet needs none."
            : "Install one that supports EIP-6963, then open this again."}
        </p>
      )}
    </Modal>
  );
}
