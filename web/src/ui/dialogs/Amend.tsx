// SPDX-License-Identifier: AGPL-3.0-only
import { useState } from "preact/hooks";
import { finePrice, size, usd } from "../../money/format";
import { baseOf, lots, priceText, priceUnits, sizeText, typedLots, typedPrice } from "../../money/market";
import { openOrders, refresh } from "../../state/account";
import { expectEnd } from "../../state/events";
import { notify } from "../../state/notices";
import { listed } from "../../state/venue";
import { Facts } from "../bits";
import { Amount } from "../Field";
import { closeDialog, Modal } from "../Modal";

/** Another price or size for an order that rests, in one step: the old one stays until the new one is taken. */
export function Amend({ order: id, at }: { order: string; at?: string | undefined }) {
  // As it was when the dialog opened: a fill meanwhile is the exchange's to weigh.
  const [order] = useState(() => openOrders.peek().find((one) => one.id === id));
  const m = order && listed.value.get(order.ticker);
  const [price, setPrice] = useState(() => at ?? (order && m ? priceText(m, priceUnits(m, order.price)) : ""));
  const [text, setText] = useState(() => (order && m ? sizeText(m, lots(m, order.size)) : ""));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  if (!order || !m) {
    return (
      <Modal title="Amend">
        <p class="muted">This order does not rest any more.</p>
      </Modal>
    );
  }
  const filled = lots(m, order.totalFilled);
  const total = typedLots(m, text);
  const limit = typedPrice(m, price);
  const wrongSize = !total
    ? "That is not a size."
    : total <= filled
      ? "Less than what is filled; cancel it instead."
      : null;
  const wrongPrice = !limit || limit % m.tick !== 0n ? "That is not a price on the tick." : null;
  const same = total === lots(m, order.size) && limit === priceUnits(m, order.price);
  const keeps = limit === priceUnits(m, order.price) && total !== null && total <= lots(m, order.size);

  async function run() {
    if (!order || !m || !total || !limit || wrongSize || wrongPrice || same) return;
    setBusy(true);
    setProblem("");
    try {
      expectEnd([order.id]);
      const { amend } = await import("../../orders/submit");
      await amend(order, {
        market: m,
        buy: order.side === "BUY",
        size: total,
        price: limit,
        timeInForce: "GTT",
        postOnly: order.postOnly,
        reduceOnly: order.reduceOnly,
      });
      notify("order", "good", "Order amended", `${sizeText(m, total)} ${baseOf(m.ticker)} at ${priceText(m, limit)}`);
      refresh();
      closeDialog();
    } catch (error) {
      setProblem((error as Error).message);
    }
    setBusy(false);
  }

  return (
    <Modal title={`Amend ${order.side.toLowerCase()} ${order.ticker}`}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <Amount
          label="Price"
          value={price}
          onValue={setPrice}
          decimals={m.priceDecimals}
          digits={m.tickDigits}
          step={m.tick}
          problem={wrongPrice}
          suffix="USD"
          autofocus
        />
        <Amount
          label="Size"
          value={text}
          onValue={setText}
          decimals={m.sizeDecimals}
          step={1n}
          problem={wrongSize}
          suffix={baseOf(m.ticker)}
        />
        <Facts
          rows={[
            ["Now", `${size(m, lots(m, order.size))} at ${finePrice(m, priceUnits(m, order.price))}`],
            ["Filled", size(m, filled)],
            ["Value", total && limit ? usd(total * limit) : "–"],
            ["Place in the queue", keeps ? "Kept" : "New", "Kept at the same price and no larger a size"],
          ]}
        />
        {problem && (
          <p class="note bad" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="button primary large" disabled={busy || same || Boolean(wrongSize || wrongPrice)}>
          {busy && <span class="spinner" aria-hidden="true" />} Amend
        </button>
      </form>
    </Modal>
  );
}
