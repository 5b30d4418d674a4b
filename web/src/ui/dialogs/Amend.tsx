// SPDX-License-Identifier: AGPL-3.0-only
import { useState } from "preact/hooks";
import { finePrice, size, usd } from "../../money/format";
import { baseOf, lots, priceText, priceUnits, sizeText, typedLots, typedPrice, worstLimit } from "../../money/market";
import type { Trigger } from "../../orders/build";
import { EXIT_SLIPPAGE_PPM } from "../../orders/composed";
import { openOrders, refresh } from "../../state/account";
import { expectEnd } from "../../state/events";
import { notify } from "../../state/notices";
import { listed } from "../../state/venue";
import { PriceAmount, SizeAmount } from "../Amounts";
import { Facts } from "../bits";
import { closeDialog, Modal } from "../Modal";

/**
 * Another price, trigger or size for an order that rests or waits, in one step: the old one stays until the new one is
 * taken. `at` is where its line was dragged to: the trigger of one that waits, else the price.
 */
export function Amend({ order: id, at }: { order: string; at?: string | undefined }) {
  // As it was when the dialog opened: a fill meanwhile is the exchange's to weigh.
  const [order] = useState(() => openOrders.peek().find((one) => one.id === id));
  const m = order && listed.value.get(order.ticker);
  const waits = order?.status === "UNTRIGGERED";
  const typed = (text: string | null | undefined) => (m && text ? priceText(m, priceUnits(m, text)) : "");
  const [price, setPrice] = useState(() => (at && !waits ? at : typed(order?.price)));
  const [trigger, setTrigger] = useState(() => (at && waits ? at : typed(order?.triggerPrice)));
  const [text, setText] = useState(() => (order && m ? sizeText(m, lots(m, order.size)) : ""));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  if (!order || !m) {
    return (
      <Modal title="Amend">
        <p class="muted">This order has ended.</p>
      </Modal>
    );
  }
  const filled = lots(m, order.totalFilled);
  const total = typedLots(m, text);
  const fires = waits ? typedPrice(m, trigger) : null;
  const buy = order.side === "BUY";
  const wrongTrigger = waits && (!fires || fires % m.tick !== 0n) ? "That is not a price on the tick." : null;
  // What trades at once has no price of its own, but a worst one that goes with its trigger.
  const atMarket = order.immediate;
  const limit = atMarket ? fires && worstLimit(m, buy, fires, EXIT_SLIPPAGE_PPM) : typedPrice(m, price);
  const before = {
    price: priceUnits(m, order.price),
    trigger: order.triggerPrice && priceUnits(m, order.triggerPrice),
  };
  const wrongSize = !total
    ? "That is not a size."
    : total <= filled
      ? "Less than what is filled; cancel it instead."
      : null;
  const wrongPrice = !atMarket && (!limit || limit % m.tick !== 0n) ? "That is not a price on the tick." : null;
  const wrong = Boolean(wrongSize || wrongPrice || wrongTrigger);
  const sameTrigger = !waits || fires === before.trigger;
  const same = total === lots(m, order.size) && sameTrigger && (atMarket || limit === before.price);
  const keeps = limit === before.price && total !== null && total <= lots(m, order.size);

  async function run() {
    if (!order || !m || !total || !limit || wrong || same) return;
    setBusy(true);
    setProblem("");
    try {
      expectEnd([order.id]);
      const { amend } = await import("../../orders/submit");
      await amend(order, {
        market: m,
        buy,
        size: total,
        price: limit,
        timeInForce: "GTT",
        postOnly: order.postOnly,
        reduceOnly: order.reduceOnly,
        selfTrade: order.selfTrade,
        ...(order.trigger === "NONE"
          ? {}
          : { trigger: order.trigger as Trigger, triggerPrice: fires ?? (before.trigger || 0n) }),
      });
      const now = waits ? `when the index is at ${priceText(m, fires!)}` : `at ${priceText(m, limit)}`;
      notify("order", "good", "Order amended", `${sizeText(m, total)} ${baseOf(m.ticker)} ${now}`);
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
        {waits && (
          <PriceAmount
            market={m}
            label="Trigger (index price)"
            value={trigger}
            onValue={setTrigger}
            problem={wrongTrigger}
            autofocus
          />
        )}
        {!atMarket && (
          <PriceAmount
            market={m}
            label="Price"
            value={price}
            onValue={setPrice}
            problem={wrongPrice}
            autofocus={!waits}
          />
        )}
        <SizeAmount market={m} value={text} onValue={setText} problem={wrongSize} />
        <Facts
          rows={[
            [
              "Now",
              `${size(m, lots(m, order.size))} at ${waits && atMarket ? `trigger ${finePrice(m, before.trigger || 0n)}` : finePrice(m, before.price)}`,
            ],
            ...(atMarket && limit
              ? ([["Worst price", finePrice(m, limit), "Signed: nobody can fill it at a worse one"]] as const)
              : []),
            ["Filled", size(m, filled)],
            ["Value", total && limit ? usd(total * limit) : "–"],
            ...(waits
              ? []
              : ([
                  ["Place in the queue", keeps ? "Kept" : "New", "Kept at the same price and no larger a size"],
                ] as const)),
          ]}
        />
        {problem && (
          <p class="note bad" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="button primary large" disabled={busy || same || wrong}>
          {busy && <span class="spinner" aria-hidden="true" />} Amend
        </button>
      </form>
    </Modal>
  );
}
