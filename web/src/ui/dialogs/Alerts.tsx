// SPDX-License-Identifier: AGPL-3.0-only
import { useState } from "preact/hooks";
import { plain } from "../../money/decimal";
import { finePrice, grouped } from "../../money/format";
import { typedPrice } from "../../money/market";
import { indexOf } from "../../state/account";
import { addAlert, alerts, MOST_ALERTS, removeAlert } from "../../state/alerts";
import { market } from "../../state/venue";
import { PriceAmount } from "../Amounts";
import { Icon } from "../Icon";
import { Modal } from "../Modal";

export function Alerts() {
  const m = market.value;
  const [text, setText] = useState("");
  if (!m) return null;
  const index = indexOf(m);
  const price = typedPrice(m, text);
  const wrong = !text
    ? null
    : !price
      ? "That is not a price."
      : price === index
        ? "The index price is there now."
        : null;
  const full = alerts.value.length >= MOST_ALERTS;
  return (
    <Modal title="Price alerts">
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (!price || wrong || full) return;
          addAlert(m.ticker, plain(price, m.priceDecimals), index);
          setText("");
        }}
      >
        <p class="muted">You are told once when the index price of {m.ticker} comes there, while this page is open.</p>
        <PriceAmount
          market={m}
          label={`Price of ${m.ticker}`}
          value={text}
          onValue={setText}
          from={index}
          problem={wrong}
          hint={
            <>
              Index now <span class="num">{finePrice(m, index)}</span>
            </>
          }
          autofocus
        />
        <button type="submit" class="button primary large" disabled={!price || Boolean(wrong) || full}>
          {full ? `No more than ${MOST_ALERTS}` : "Add alert"}
        </button>
      </form>
      {alerts.value.length > 0 && (
        <ul class="stack" aria-label="Alerts">
          {alerts.value.map((alert) => (
            <li key={alert.id} class="row between">
              <span>
                {alert.ticker} {alert.above ? "rises to" : "falls to"} <b class="num">{grouped(alert.price)}</b>
              </span>
              <button
                type="button"
                class="icon-button small"
                aria-label={`Remove the alert of ${alert.ticker} at ${alert.price}`}
                onClick={() => removeAlert(alert.id)}
              >
                <Icon name="close" size={14} />
              </button>
            </li>
          ))}
        </ul>
      )}
    </Modal>
  );
}
