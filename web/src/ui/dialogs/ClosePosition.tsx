// SPDX-License-Identifier: AGPL-3.0-only
import { useState } from "preact/hooks";
import { abs, max } from "../../money/decimal";
import { finePrice, signedUsd, size, usd } from "../../money/format";
import { fee } from "../../money/formulas";
import { baseOf, priceText, sizeText, typedLots, typedPrice } from "../../money/market";
import { positionIn } from "../../state/account";
import { best } from "../../state/feed";
import { tier } from "../../state/fees";
import { notify } from "../../state/notices";
import { ticker } from "../../state/venue";
import { PriceAmount, SizeAmount } from "../Amounts";
import { closeAtMarket } from "../actions";
import { Facts, tone } from "../bits";
import { Segmented } from "../Choice";
import { Slider } from "../Field";
import { closeDialog, Modal } from "../Modal";

export function ClosePosition({ market }: { market: string }) {
  const one = positionIn(market);
  const [way, setWay] = useState<"market" | "limit">("market");
  const [text, setText] = useState(() => (one ? sizeText(one.market, abs(one.size)) : ""));
  const [price, setPrice] = useState(() =>
    one ? priceText(one.market, (one.index / one.market.tick) * one.market.tick) : "",
  );
  const [busy, setBusy] = useState(false);
  if (!one)
    return (
      <Modal title={`Close ${market}`}>
        <p class="muted">There is no position any more.</p>
      </Modal>
    );
  const m = one.market;
  const held = abs(one.size);
  const lots = typedLots(m, text);
  const sells = one.size > 0n;
  // The price that would be met at once: of the book that is shown, else the index price.
  const touch = market === ticker.value ? (sells ? best.value.bid : best.value.ask) : undefined;
  const facing = touch === undefined ? one.index : BigInt(touch);
  const limit = way === "limit" ? typedPrice(m, price) : facing;
  const problem = lots === null || lots === 0n ? "That is not a size." : lots > held ? "More than the position." : null;
  const wrongPrice = way === "limit" && (!limit || limit % m.tick !== 0n) ? "That is not a price on the tick." : null;
  const at = limit ?? facing;
  // A limit that does not reach the other side of the book rests and pays the maker's fee.
  const takes = way === "market" || (sells ? at <= facing : at >= facing);
  const feePpm = takes ? tier.value.takerPpm : max(0n, tier.value.makerPpm);
  const cost = lots ? (one.cost * lots) / held : 0n;
  const profit = lots ? (one.size > 0n ? lots * at - cost : -cost - lots * at) : 0n;

  async function run() {
    if (!one || !lots || problem || wrongPrice) return;
    setBusy(true);
    if (way === "market") {
      if (await closeAtMarket(one, lots)) closeDialog();
    } else {
      try {
        const { place } = await import("../../orders/submit");
        await place([
          { market: m, buy: one.size < 0n, size: lots, price: limit!, timeInForce: "GTT", reduceOnly: true },
        ]);
        notify("order", "good", "Closing order placed");
        closeDialog();
      } catch (error) {
        notify("order", "bad", "Not placed", (error as Error).message);
      }
    }
    setBusy(false);
  }

  return (
    <Modal title={`Close ${one.size > 0n ? "long" : "short"} ${market}`}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <Segmented
          label="Way"
          value={way}
          onValue={setWay}
          options={[
            ["market", "Market"],
            ["limit", "Limit"],
          ]}
        />
        {way === "limit" && (
          <PriceAmount market={m} label="Price" value={price} onValue={setPrice} problem={wrongPrice} />
        )}
        <SizeAmount market={m} value={text} onValue={setText} problem={problem} autofocus />
        <Slider
          label="Share of the position"
          value={lots ? Math.min(100, Number((lots * 100n) / held)) : 0}
          min={0}
          max={100}
          marks={[0, 25, 50, 75, 100]}
          text={(value) => `${value}%`}
          onValue={(share) => setText(sizeText(m, share === 100 ? held : (held * BigInt(share)) / 100n))}
        />
        <Facts
          rows={[
            ["Left of the position", lots !== null && lots <= held ? `${size(m, held - lots)} ${baseOf(market)}` : "–"],
            ["Entry", finePrice(m, one.entry)],
            ["Estimated result", <span class={tone(profit)}>{signedUsd(profit)}</span>],
            ["Fee, estimated", lots ? usd(fee(lots * at, feePpm), 4) : "–"],
          ]}
        />
        <button
          type="submit"
          class={`button large ${one.size > 0n ? "sell" : "buy"}`}
          disabled={busy || Boolean(problem || wrongPrice)}
        >
          {busy && <span class="spinner" aria-hidden="true" />} {one.size > 0n ? "Sell to close" : "Buy to close"}
        </button>
      </form>
    </Modal>
  );
}
