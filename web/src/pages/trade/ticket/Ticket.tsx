// SPDX-License-Identifier: AGPL-3.0-only
import { useEffect, useRef } from "preact/hooks";
import { price as priceOf } from "../../../money/format";
import { baseOf, priceText, priceUnits } from "../../../money/market";
import { indexOf, unknown } from "../../../state/account";
import { mid } from "../../../state/feed";
import { ordersRefused } from "../../../state/health";
import { notify } from "../../../state/notices";
import { oneClick } from "../../../state/session-key";
import { change, settings } from "../../../state/settings";
import { current, market } from "../../../state/venue";
import { askedSide, dialog, ticketOpen } from "../../../state/view";
import { address, switchChain, wallet, wrongChain } from "../../../state/wallet";
import { PriceAmount } from "../../../ui/Amounts";
import { Link } from "../../../ui/bits";
import { Segmented } from "../../../ui/Choice";
import { Amount, Check, Select, Slider } from "../../../ui/Field";
import { Icon } from "../../../ui/Icon";
import { plan, type Where } from "./plan";
import { Summary } from "./Summary";
import { ask, busy, refusal } from "./send";
import { highestLeverage, share, takeShare } from "./share";
import * as ticket from "./state";

const SHARES = [0, 25, 50, 75, 100] as const;

function told(at: Where): string | null {
  const problem = plan.value?.problem;
  // What is still empty is not yet wrong.
  return problem?.at === at && !problem.text.startsWith("Enter") ? problem.text : null;
}

function KindChoice() {
  const more = ticket.kind.value !== "LIMIT" && ticket.kind.value !== "MARKET";
  return (
    <div class="kinds">
      <Segmented
        label="Order type"
        value={more ? "" : ticket.kind.value}
        onValue={(kind) => (ticket.kind.value = kind as ticket.Kind)}
        options={[
          ["LIMIT", "Limit"],
          ["MARKET", "Market"],
        ]}
      />
      <div class={`field more-kinds ${more ? "chosen" : ""}`}>
        <label class="visually-hidden" for="more-kinds">
          More order types
        </label>
        <div class="box select">
          <select
            id="more-kinds"
            value={more ? ticket.kind.value : ""}
            onChange={(event) => (ticket.kind.value = event.currentTarget.value as ticket.Kind)}
          >
            <option value="" disabled hidden>
              Stop & more
            </option>
            {ticket.KINDS.map(([key, text]) => (
              <option key={key} value={key}>
                {text}
              </option>
            ))}
          </select>
        </div>
      </div>
    </div>
  );
}

function PriceField({ label, of, at }: { label: string; of: typeof ticket.price; at: Where }) {
  const m = market.value;
  if (!m) return null;
  const from = mid.value ?? indexOf(m);
  return (
    <PriceAmount
      market={m}
      label={label}
      value={of.value}
      onValue={(text) => (of.value = text)}
      from={from}
      problem={told(at)}
      placeholder={priceOf(m, from)}
      id={`ticket-${at}`}
      suffix={
        at === "price" && mid.value !== null ? (
          <button
            type="button"
            class="button small ghost"
            onClick={() => (of.value = priceText(m, (mid.value! / m.tick) * m.tick))}
          >
            Mid
          </button>
        ) : (
          "USD"
        )
      }
    />
  );
}

function Fields() {
  const m = market.value;
  const kind = ticket.kind.value;
  const unit = settings.value.sizeUnit;
  // As high as what comes, so that nothing moves when the market is known.
  if (!m) return <div class={`fields-wait skeleton ${kind === "LIMIT" ? "" : "short"}`} aria-hidden="true" />;
  const whole = (label: string, of: typeof ticket.parts, at: Where, suffix: string) => (
    <Amount
      label={label}
      value={of.value}
      onValue={(text) => (of.value = text)}
      decimals={0}
      step={1n}
      suffix={suffix}
      problem={told(at)}
    />
  );
  return (
    <>
      {ticket.triggered(kind) && <PriceField label="Trigger (index price)" of={ticket.trigger} at="trigger" />}
      {ticket.hasLimit(kind) && (
        <PriceField label={kind === "SCALE" ? "First price" : "Limit price"} of={ticket.price} at="price" />
      )}
      {kind === "SCALE" && <PriceField label="Last price" of={ticket.lastPrice} at="lastPrice" />}
      {kind === "TRAILING" && (
        <PriceAmount
          market={m}
          label="Follows at a distance of"
          value={ticket.distance.value}
          onValue={(text) => (ticket.distance.value = text)}
          problem={told("distance")}
        />
      )}
      <Amount
        label="Size"
        id="ticket-size"
        value={ticket.size.value}
        onValue={(text) => (ticket.size.value = text)}
        decimals={unit === "base" ? m.sizeDecimals : 6}
        step={unit === "base" ? 10n ** BigInt(Math.max(0, m.sizeDecimals - 2)) : 10_000_000n}
        placeholder="0.00"
        problem={told("size")}
        suffix={
          <button
            type="button"
            class="button small ghost"
            aria-label={`Size in ${unit === "base" ? baseOf(m.ticker) : "USD"}; change`}
            onClick={() => {
              ticket.size.value = "";
              change({ sizeUnit: unit === "base" ? "usd" : "base" });
            }}
          >
            {unit === "base" ? baseOf(m.ticker) : "USD"} <Icon name="swap" size={12} />
          </button>
        }
      />
      <Slider
        label="Share of what you can trade"
        value={share.value}
        min={0}
        max={100}
        marks={SHARES}
        text={(value) => `${value}%`}
        disabled={!plan.value || plan.value.most === 0n}
        onValue={takeShare}
      />
      {(kind === "SCALE" || kind === "TWAP") && (
        <div class="pair">
          {whole(kind === "SCALE" ? "Orders" : "Parts", ticket.parts, "parts", "")}
          {kind === "TWAP" && whole("Over", ticket.minutes, "minutes", "min")}
        </div>
      )}
    </>
  );
}

function Options() {
  const kind = ticket.kind.value;
  const m = market.value;
  const simple = kind === "LIMIT" || kind === "MARKET";
  const resting = kind === "SCALE" || (kind === "LIMIT" && ticket.tif.value === "GTT");
  return (
    <div class="options">
      <div class="row wrap between">
        <Check
          label="Reduce-only"
          title="Never opens or turns a position"
          checked={ticket.reduceOnly.value || kind === "TRAILING"}
          disabled={kind === "TRAILING"}
          onChange={(on) => {
            ticket.reduceOnly.value = on;
            if (on) ticket.exitsOn.value = false;
          }}
        />
        {resting && (
          <Check
            label="Post-only"
            title="Never takes from the book"
            checked={ticket.postOnly.value}
            onChange={(on) => (ticket.postOnly.value = on)}
          />
        )}
        {simple && (
          <Check
            label="TP / SL"
            title="Take profit and stop loss with the order"
            checked={ticket.exitsOn.value}
            disabled={ticket.reduceOnly.value}
            onChange={(on) => (ticket.exitsOn.value = on)}
          />
        )}
      </div>
      {kind === "LIMIT" && (
        <Select
          label="Time in force"
          hideLabel
          value={ticket.tif.value}
          onValue={(value) => (ticket.tif.value = value)}
          options={[
            ["GTT", "Good till cancelled"],
            ["IOC", "Immediate or cancel"],
            ["FOK", "Fill or kill"],
          ]}
        />
      )}
      {simple && ticket.exitsOn.value && m && (
        <div class="pair">
          <PriceAmount
            market={m}
            label="Take profit"
            value={ticket.takeProfit.value}
            onValue={(text) => (ticket.takeProfit.value = text)}
            from={plan.value?.expected ?? indexOf(m)}
            placeholder="Price"
            problem={told("takeProfit")}
          />
          <PriceAmount
            market={m}
            label="Stop loss"
            value={ticket.stopLoss.value}
            onValue={(text) => (ticket.stopLoss.value = text)}
            from={plan.value?.expected ?? indexOf(m)}
            placeholder="Price"
            problem={told("stopLoss")}
          />
        </div>
      )}
    </div>
  );
}

function Submit() {
  const m = market.value;
  const now = plan.value;
  const side = ticket.buy.value ? "buy" : "sell";
  if (!address.value) {
    return (
      <button type="button" class="button primary large" onClick={() => (dialog.value = { kind: "connect" })}>
        Connect a wallet
      </button>
    );
  }
  if (wrongChain.value) {
    return (
      <button
        type="button"
        class="button primary large"
        onClick={() =>
          void switchChain().catch((error: Error) => notify("order", "bad", "The chain was not changed", error.message))
        }
      >
        Switch to the exchange's chain
      </button>
    );
  }
  if (unknown.value) {
    return (
      <button type="button" class="button primary large" onClick={() => (dialog.value = { kind: "deposit" })}>
        Deposit to trade
      </button>
    );
  }
  const closed = current.value && !["ACTIVE", "CANCEL_ONLY"].includes(current.value.status);
  const text =
    busy.value ??
    (closed
      ? "Market is not trading"
      : (now?.problem?.text ?? `${ticket.buy.value ? "Buy" : "Sell"} ${m ? baseOf(m.ticker) : ""}`));
  return (
    <button
      type="submit"
      class={`button large ${side}`}
      disabled={Boolean(busy.value || closed || !now || now.problem)}
      aria-busy={busy.value !== null}
    >
      {busy.value && <span class="spinner" aria-hidden="true" />}
      {!busy.value && oneClick.value && !now?.problem && <Icon name="bolt" size={14} />}
      {text}
    </button>
  );
}

export function Ticket() {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (askedSide.value) form.current?.querySelector<HTMLInputElement>("#ticket-size")?.focus();
  }, [askedSide.value]);
  const m = market.value;
  const index = m && current.value ? priceUnits(m, current.value.oraclePrice) : 0n;
  return (
    <form
      ref={form}
      class="ticket"
      aria-label="Order ticket"
      onSubmit={(event) => {
        event.preventDefault();
        const now = plan.value;
        if (now && !now.problem) ask(now);
      }}
    >
      <div class="sheet-head">
        <h2>Order</h2>
        <button
          type="button"
          class="icon-button"
          aria-label="Close the ticket"
          onClick={() => (ticketOpen.value = false)}
        >
          <Icon name="close" />
        </button>
      </div>
      <Segmented
        label="Side"
        class="sides"
        value={ticket.buy.value ? "buy" : "sell"}
        onValue={(side) => (ticket.buy.value = side === "buy")}
        options={[
          ["buy", "Buy / Long", "buy"],
          ["sell", "Sell / Short", "sell"],
        ]}
      />
      <KindChoice />
      <LeverageRow />
      <Fields />
      <Options />
      {refusal.value && (
        <p class="note bad" role="alert">
          {refusal.value}
        </p>
      )}
      {address.value && ordersRefused.value && <p class="note warn">Orders are not taken now. {ordersRefused.value}</p>}
      <Submit />
      {address.value && !wallet.value?.development && !oneClick.value && (
        <p class="one-click">
          Your wallet asks each time. <Link to="/keys">One-click trading</Link>
        </p>
      )}
      <Summary index={index} />
    </form>
  );
}

function LeverageRow() {
  const most = highestLeverage.value;
  const value = Math.min(most, settings.value.leverage);
  return (
    <div class="leverage">
      <span
        class="label"
        title="Sets how large a share of your collateral the size slider offers. Margin is shared by all positions."
      >
        Leverage
      </span>
      <Slider
        label="Leverage"
        value={value}
        min={1}
        max={most}
        text={(one) => `${one} times`}
        onValue={(one) => change({ leverage: one })}
      />
      <b class="num">{value}×</b>
    </div>
  );
}
