// SPDX-License-Identifier: AGPL-3.0-only
/** The way from nothing to the first order, until it is walked. */

import { useEffect } from "preact/hooks";
import { openOrders, positions, subaccount, unknown } from "../state/account";
import { kept } from "../state/settings";
import { dialog } from "../state/view";
import { address, wrongChain } from "../state/wallet";
import { Icon } from "./Icon";

const done = kept<boolean>("ouro.onboarded", false);

export function Onboarding() {
  const connected = address.value !== null;
  const funded = subaccount.value !== null;
  const traded = positions.value.length > 0 || openOrders.value.length > 0;
  useEffect(() => {
    if (funded && traded) done.value = true;
  }, [funded, traded]);
  if (done.value || (connected && !funded && !unknown.value)) return null;
  const steps: [string, boolean, (() => void) | null][] = [
    ["Connect a wallet", connected && !wrongChain.value, () => (dialog.value = { kind: "connect" })],
    ["Deposit USDC", funded, connected ? () => (dialog.value = { kind: "deposit" }) : null],
    ["Place your first order", traded, null],
  ];
  return (
    <section class="onboarding" aria-label="First steps">
      <div class="row between">
        <h2>First steps</h2>
        <button type="button" class="link-button" onClick={() => (done.value = true)}>
          Hide
        </button>
      </div>
      <ol>
        {steps.map(([text, ready, act], at) => (
          <li key={text} class={ready ? "ready" : ""}>
            <span class="step" aria-hidden="true">
              {ready ? <Icon name="check" size={12} /> : at + 1}
            </span>
            {!ready && act ? (
              <button type="button" class="link-button" onClick={act}>
                {text}
              </button>
            ) : (
              <span>{text}</span>
            )}
            {ready && <span class="visually-hidden"> (done)</span>}
          </li>
        ))}
      </ol>
    </section>
  );
}
