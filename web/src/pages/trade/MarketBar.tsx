// SPDX-License-Identifier: AGPL-3.0-only
import { useEffect, useRef, useState } from "preact/hooks";
import { units } from "../../money/decimal";
import { compactUsd, countdown, finePrice, percent, price, ratio } from "../../money/format";
import { lots, priceUnits, usdc } from "../../money/market";
import { lastTrade, mid } from "../../state/feed";
import { current, market, now, ticker } from "../../state/venue";
import { Skeleton, tone } from "../../ui/bits";
import { Icon } from "../../ui/Icon";
import { MarketIcon } from "../../ui/MarketIcon";
import { MarketList } from "./MarketList";

const HOUR_MS = 3_600_000;

/** Change over 24 hours as a share of the price then. */
export function dayChange(last: bigint, change: bigint): string {
  return ratio(change, last - change, 2, true);
}

function Picker() {
  const [open, setOpen] = useState(false);
  const anchor = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (event: Event) => !anchor.current?.contains(event.target as Node) && setOpen(false);
    addEventListener("pointerdown", outside);
    return () => removeEventListener("pointerdown", outside);
  }, [open]);
  const close = () => {
    setOpen(false);
    anchor.current?.querySelector("button")?.focus();
  };
  return (
    <div class="picker" ref={anchor} onKeyDown={(event) => event.key === "Escape" && close()}>
      <button
        type="button"
        class="picker-button"
        aria-expanded={open}
        aria-haspopup="dialog"
        onClick={() => setOpen(!open)}
      >
        <MarketIcon ticker={ticker.value} />
        <span>{ticker.value}</span>
        <Icon name="down" size={14} />
      </button>
      {open && (
        <div class="popover picker-popover" role="dialog" aria-label="Markets">
          <MarketList onChosen={close} />
        </div>
      )}
    </div>
  );
}

function Figure({
  name,
  title,
  children,
  class: more,
}: {
  name: string;
  title?: string;
  children: preact.ComponentChildren;
  class?: string;
}) {
  return (
    <div class={`bar-figure ${more ?? ""}`} title={title}>
      <dt>{name}</dt>
      <dd class="num">{children}</dd>
    </div>
  );
}

export function MarketBar() {
  const m = market.value;
  const data = current.value;
  const last = m && lastTrade.value ? priceUnits(m, lastTrade.value.price) : null;
  const index = m && data ? priceUnits(m, data.oraclePrice) : null;
  const change = m && data ? priceUnits(m, data.priceChange24H) : 0n;
  const rising = lastTrade.value?.side === "BUY";
  if (m && last) document.title = `${price(m, last)} · ${m.ticker} · Ouro`;
  const toFunding = HOUR_MS - (now.value % HOUR_MS);
  return (
    <section class="panel market-bar" aria-label="Market">
      <Picker />
      <div class={`last num ${last === null ? "" : rising ? "up" : "down"}`} title="Price of the last trade">
        {m && last !== null ? price(m, last) : <Skeleton width="84px" height="22px" />}
      </div>
      <dl class="bar-figures" tabIndex={0} aria-label="Figures of the market">
        <Figure name="Mark" title="Half way between the best bid and ask">
          {m && mid.value !== null ? finePrice(m, mid.value) : "–"}
        </Figure>
        <Figure name="Index" title="The oracle's price. Margin, liquidation and triggers go by it.">
          {m && index ? finePrice(m, index) : "–"}
        </Figure>
        <Figure name="24h change" class={tone(change)}>
          {m && last ? `${dayChange(last, change)}` : "–"}
        </Figure>
        <Figure name="24h volume">{data ? compactUsd(usdc(data.volume24H)) : "–"}</Figure>
        <Figure name="Open interest" title="Longs, which equal shorts">
          {m && data && index ? compactUsd(lots(m, data.openInterest) * index) : "–"}
        </Figure>
        <Figure
          name="Funding / countdown"
          title="Paid by longs to shorts each hour (negative: the other way). What this hour's trades would set next is in brackets."
          class="funding"
        >
          {data ? (
            <>
              <span class={tone(units(data.fundingRate, 12))}>{percent(data.fundingRate, 4, true)}</span>
              <span class="faint"> ({percent(data.nextFundingRate, 4, true)})</span> {countdown(toFunding)}
            </>
          ) : (
            "–"
          )}
        </Figure>
      </dl>
    </section>
  );
}
