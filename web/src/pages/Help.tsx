// SPDX-License-Identifier: AGPL-3.0-only
import { config } from "../state/venue";
import { KEYS } from "../ui/keys";

const TOPICS: readonly [string, string][] = [
  [
    "What is signed?",
    "Every order is a readable message: market, side, size, worst price, time in force, highest fee, expiry. The contract checks each fill against it. Nobody can fill you at a worse price, for more, or later.",
  ],
  [
    "When is a fill final?",
    "The exchange matches at once and settles in batches on chain, usually within seconds. Fills say matched, confirmed, then final. A match that the chain refuses is undone and you are told.",
  ],
  [
    "Which price counts?",
    "Margin, liquidation and triggers go by the index price of the oracle. Mark is the middle of the book. Charts show trades.",
  ],
  [
    "How does margin work?",
    "All positions of the account share one margin. Initial margin is needed to open; when equity falls to maintenance margin, anyone may take positions over. The leverage slider sets what the size slider offers, no more.",
  ],
  [
    "What are subaccounts for?",
    "Each has its own margin: what one loses, the others keep. Choose one beside your address; everything on the page is of that one. Money moves between them through your wallet.",
  ],
  [
    "What is funding?",
    "Once an hour longs pay shorts, or the other way round, so that the price stays near the index. The rate is bounded per hour. It is part of your equity at every moment.",
  ],
  [
    "Stops and take-profits",
    "They wait for the index price. The trigger is signed, and the contract asks it again when the fill settles. Until then only you can see them: a signature proves that it is you.",
  ],
  [
    "TP / SL with an order",
    "Both wait until the entry has ended with something filled, close no more than that, and the one that trades cancels the other.",
  ],
  [
    "Scale, TWAP, trailing stop",
    "A scale is a row of limit orders. A TWAP trades in equal parts over time; what one part does not find is not caught up. A trailing stop is a chain of twenty steps that are signed in advance; beyond the last it stays. With one-click trading these need no row of signatures.",
  ],
  [
    "One-click trading",
    "A session key signs orders and cancels for you, within the markets, the amount and the time that you set on chain. It cannot move money. Revoke it at any time.",
  ],
  [
    "Can I always withdraw?",
    "Yes. At once with the operator's co-signature, or without anybody through the Vault's queue after its delay. Caps per hour and day protect everyone's money; what exceeds them waits.",
  ],
  [
    "A signature was rejected",
    "Nothing was sent. If it happens with the right account, look whether the wallet is on the exchange's chain: the button at the top switches it.",
  ],
  [
    "Something does not work",
    "A banner says what, before you send anything, and what still works. After an interruption the page goes on where it was, so that nothing is missed. Orders that were resting keep resting; withdrawals without the operator and deposits need the chain alone.",
  ],
];

export function Help() {
  const venue = config.value;
  return (
    <div class="page">
      <h1>Help</h1>
      <p class="lead">
        How trading works here, in short. Contracts, protocol and limits are documented in the project's repository.
      </p>
      <div class="help-grid">
        <section class="card" aria-label="Questions">
          <h2>Questions</h2>
          {TOPICS.map(([question, answer]) => (
            <details key={question}>
              <summary>{question}</summary>
              <p>{answer}</p>
            </details>
          ))}
        </section>
        <div class="stack">
          <section class="card" aria-label="Keys">
            <h2>Keys</h2>
            <dl class="keys">
              {KEYS.map(([key, text]) => (
                <div key={key}>
                  <dt>
                    <kbd>{key}</kbd>
                  </dt>
                  <dd>{text}</dd>
                </div>
              ))}
            </dl>
          </section>
          {venue && (
            <section class="card" aria-label="This exchange">
              <h2>This exchange</h2>
              <dl class="contracts">
                <div>
                  <dt>Deployment</dt>
                  <dd>
                    {venue.name}, chain {venue.chainId}
                    {venue.testNetwork ? ", test money" : ""}
                  </dd>
                </div>
                {(["exchange", "vault", "usdc", "oracle"] as const).map((name) => (
                  <div key={name}>
                    <dt>{name === "usdc" ? "USDC" : name.slice(0, 1).toUpperCase() + name.slice(1)}</dt>
                    <dd class="mono break">{venue.contracts[name]}</dd>
                  </div>
                ))}
                <div>
                  <dt>Settlement window</dt>
                  <dd>{venue.settleWindow} s</dd>
                </div>
                <div>
                  <dt>Withdrawal delay</dt>
                  <dd>{venue.withdrawalDelay} s</dd>
                </div>
              </dl>
            </section>
          )}
        </div>
      </div>
    </div>
  );
}
