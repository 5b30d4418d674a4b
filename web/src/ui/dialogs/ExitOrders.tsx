// SPDX-License-Identifier: AGPL-3.0-only
import { useState } from "preact/hooks";
import { abs } from "../../money/decimal";
import { finePrice, grouped, signedUsd } from "../../money/format";
import { type Market, typedPrice } from "../../money/market";
import { exits } from "../../orders/composed";
import { exitsInForce, liquidationIn, positionIn } from "../../state/account";
import { kindOf } from "../../state/events";
import { notify } from "../../state/notices";
import { PriceAmount } from "../Amounts";
import { cancelOne } from "../actions";
import { Facts, tone } from "../bits";
import { closeDialog, Modal } from "../Modal";

/** Take-profit and stop for a whole position. */
export function ExitOrders({ market }: { market: string }) {
  const one = positionIn(market);
  const [profit, setProfit] = useState("");
  const [loss, setLoss] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  if (!one)
    return (
      <Modal title={`Exits of ${market}`}>
        <p class="muted">There is no position any more.</p>
      </Modal>
    );
  const m: Market = one.market;
  const long = one.size > 0n;
  const read = (text: string) => (text.trim() ? typedPrice(m, text) : undefined);
  const takeProfit = read(profit);
  const stopLoss = read(loss);
  const off = (price: bigint | null | undefined) =>
    price === null || (price !== undefined && (price === 0n || price % m.tick !== 0n));
  const wrongProfit = off(takeProfit)
    ? "Not a price on the tick."
    : takeProfit && (long ? takeProfit <= one.index : takeProfit >= one.index)
      ? `Lies ${long ? "above" : "below"} the index price.`
      : null;
  const wrongLoss = off(stopLoss)
    ? "Not a price on the tick."
    : stopLoss && (long ? stopLoss >= one.index : stopLoss <= one.index)
      ? `Lies ${long ? "below" : "above"} the index price.`
      : null;
  const result = (price: bigint | null | undefined) => {
    if (!price) return "–";
    const value = one.size * price - one.cost;
    return <span class={tone(value)}>{signedUsd(value)}</span>;
  };
  const existing = exitsInForce(market);

  async function run() {
    setBusy(true);
    setProblem("");
    try {
      const { place } = await import("../../orders/submit");
      await place(
        exits(m, long, abs(one!.size), { takeProfit: takeProfit ?? undefined, stopLoss: stopLoss ?? undefined }),
      );
      notify("order", "good", "Exits are waiting", market);
      closeDialog();
    } catch (error) {
      setProblem((error as Error).message);
      setBusy(false);
    }
  }

  return (
    <Modal title={`Take profit and stop: ${market}`}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <p class="muted">
          Both wait for the index price and close the whole position at market. The one that trades cancels the other.
          Their triggers are signed: the contract checks them again.
        </p>
        <Facts
          rows={[
            ["Entry", finePrice(m, one.entry)],
            ["Index", finePrice(m, one.index)],
            [
              "Liquidation",
              (() => {
                const at = liquidationIn(one);
                return at ? finePrice(m, at) : "–";
              })(),
            ],
          ]}
        />
        <PriceAmount
          market={m}
          label="Take profit at"
          value={profit}
          onValue={setProfit}
          from={one.index}
          problem={wrongProfit}
          hint={<>Result {result(takeProfit)}</>}
          autofocus
        />
        <PriceAmount
          market={m}
          label="Stop at"
          value={loss}
          onValue={setLoss}
          from={one.index}
          problem={wrongLoss}
          hint={<>Result {result(stopLoss)}</>}
        />
        {problem && (
          <p class="note bad" role="alert">
            {problem}
          </p>
        )}
        <button
          type="submit"
          class="button primary large"
          disabled={busy || Boolean(wrongProfit || wrongLoss) || (!takeProfit && !stopLoss)}
        >
          Place
        </button>
      </form>
      {existing.length > 0 && (
        <section class="stack">
          <h3>Waiting now</h3>
          {existing.map((order) => (
            <div key={order.id} class="row between">
              <span>
                {kindOf(order)} <span class="num">{grouped(order.triggerPrice ?? "")}</span>
              </span>
              <button type="button" class="button small" onClick={() => void cancelOne(order.id)}>
                Cancel
              </button>
            </div>
          ))}
        </section>
      )}
    </Modal>
  );
}
