// SPDX-License-Identifier: AGPL-3.0-only
import { useEffect, useRef, useState } from "preact/hooks";
import { fixed, plain } from "../../money/decimal";
import { grouped, ratio, usd } from "../../money/format";
import { baseOf, type Market, priceText, priceUnits } from "../../money/market";
import { openOrders } from "../../state/account";
import { book, mid } from "../../state/feed";
import { market } from "../../state/venue";
import { pick } from "../../state/view";
import { groupLevels, type Level } from "../../stream/book";
import { Empty, Skeleton } from "../../ui/bits";

const ROW = 22;
const STEPS = [1, 2, 5, 10, 50, 100];

interface Line extends Level {
  total: number;
}

function lines(levels: Level[], count: number): Line[] {
  let total = 0;
  return levels.slice(0, count).map((level) => {
    total += level.size;
    return { ...level, total };
  });
}

/** Rows that fit one side. */
function useRows() {
  const box = useRef<HTMLDivElement>(null);
  const [rows, setRows] = useState(10);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const watch = new ResizeObserver(() => setRows(Math.max(4, Math.floor((element.clientHeight - 34) / 2 / ROW))));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return { box, rows };
}

export function Book() {
  const m = market.value;
  const [step, setStep] = useState(1);
  const [unit, setUnit] = useState<"base" | "usd">("base");
  const { box, rows } = useRows();
  const [at, setAt] = useState<number | null>(null);
  const sides = book.value;

  const tick = m ? Number(m.tick) * step : 1;
  const asks = sides ? lines(groupLevels(sides.asks, tick, true), rows) : [];
  const bids = sides ? lines(groupLevels(sides.bids, tick, false), rows) : [];
  const deepest = Math.max(asks.at(-1)?.total ?? 0, bids.at(-1)?.total ?? 0, 1);
  const own = ownPrices(m, tick);
  const shown = [...asks].reverse().concat(bids);

  function choose(price: number) {
    if (m) pick(priceText(m, BigInt(price)));
  }

  function onKeyDown(event: KeyboardEvent) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      const jump = event.shiftKey ? 5 : 1;
      setAt(Math.min(shown.length - 1, Math.max(0, (at ?? asks.length - (by < 0 ? 0 : 1)) + by * jump)));
    } else if ((event.key === "Enter" || event.key === " ") && at !== null && shown[at]) {
      event.preventDefault();
      choose(shown[at].price);
    }
  }

  if (sides && asks.length === 0 && bids.length === 0)
    return <Empty icon="columns" text="Nobody quotes this market now." />;
  return (
    <div class="book">
      <div class="book-tools">
        <label class="visually-hidden" for="book-step">
          Group prices by
        </label>
        <select
          id="book-step"
          class="mini"
          value={step}
          onChange={(event) => setStep(Number(event.currentTarget.value))}
        >
          {STEPS.map((one) => (
            <option key={one} value={one}>
              {m ? plain(m.tick * BigInt(one), m.priceDecimals) : one}
            </option>
          ))}
        </select>
        <button
          type="button"
          class="button small ghost"
          aria-label={`Sizes in ${unit === "base" ? (m ? baseOf(m.ticker) : "base") : "USD"}; change`}
          onClick={() => setUnit(unit === "base" ? "usd" : "base")}
        >
          {unit === "base" ? (m ? baseOf(m.ticker) : "–") : "USD"}
        </button>
      </div>
      <div class="book-head" aria-hidden="true">
        <span>Price</span>
        <span>Size</span>
        <span>Total</span>
      </div>
      <div
        class="book-rows"
        ref={box}
        role="listbox"
        tabIndex={0}
        aria-label="Asks and bids; Enter takes the price into the ticket"
        aria-activedescendant={at === null ? undefined : `book-${at}`}
        onKeyDown={onKeyDown}
        onBlur={() => setAt(null)}
      >
        <div class="book-side asks" role="presentation">
          {sides === null && Array.from({ length: rows }, (_, row) => <Skeleton key={row} height="14px" />)}
          {asks.length > 0 &&
            shown
              .slice(0, asks.length)
              .map((line, row) => (
                <Row
                  key={asks.length - row}
                  id={row}
                  line={line}
                  m={m!}
                  unit={unit}
                  deepest={deepest}
                  ask
                  own={own.has(line.price)}
                  active={row === at}
                  choose={choose}
                />
              ))}
        </div>
        <div class="spread num" role="presentation">
          <Spread m={m} />
        </div>
        <div class="book-side bids" role="presentation">
          {sides === null && Array.from({ length: rows }, (_, row) => <Skeleton key={row} height="14px" />)}
          {bids.map((line, row) => (
            <Row
              key={row}
              id={asks.length + row}
              line={line}
              m={m!}
              unit={unit}
              deepest={deepest}
              own={own.has(line.price)}
              active={asks.length + row === at}
              choose={choose}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

function ownPrices(m: Market | null, step: number): Set<number> {
  const found = new Set<number>();
  if (!m) return found;
  for (const order of openOrders.value) {
    if (order.ticker !== m.ticker || order.status !== "OPEN") continue;
    const price = Number(priceUnits(m, order.price));
    found.add((order.side === "SELL" ? Math.ceil(price / step) : Math.floor(price / step)) * step);
  }
  return found;
}

interface RowProps {
  id: number;
  line: Line;
  m: Market;
  unit: "base" | "usd";
  deepest: number;
  ask?: boolean;
  own: boolean;
  active: boolean;
  choose: (price: number) => void;
}

function Row({ id, line, m, unit, deepest, ask, own, active, choose }: RowProps) {
  const shown = (lots: number) =>
    unit === "base"
      ? grouped(fixed(BigInt(lots), m.sizeDecimals, Math.min(4, m.sizeDecimals)))
      : usd(BigInt(lots) * BigInt(line.price), 0).slice(1);
  const price = grouped(priceText(m, BigInt(line.price)));
  return (
    <div
      id={`book-${id}`}
      role="option"
      aria-selected={active}
      class={`book-row num ${active ? "active" : ""}`}
      onClick={() => choose(line.price)}
    >
      <i class="bar" style={{ transform: `scaleX(${line.total / deepest})` }} />
      <span class={ask ? "down" : "up"}>
        {own && (
          <b class="own" title="Your order" aria-hidden="true">
            ●
          </b>
        )}
        <span class="visually-hidden">
          {own ? "Your order, " : ""}
          {ask ? "ask " : "bid "}
        </span>
        {price}
      </span>
      <span>
        <span class="visually-hidden">size </span>
        {shown(line.size)}
      </span>
      <span class="muted">
        <span class="visually-hidden">total </span>
        {shown(line.total)}
      </span>
    </div>
  );
}

function Spread({ m }: { m: Market | null }) {
  const ask = book.value?.asks[0]?.price;
  const bid = book.value?.bids[0]?.price;
  if (!m || ask === undefined || bid === undefined || mid.value === null) return <span class="faint">Spread –</span>;
  return (
    <>
      <span class="faint">Spread</span>
      <span>{plain(BigInt(ask - bid), m.priceDecimals)}</span>
      <span class="muted">{ratio(BigInt(ask - bid), mid.value, 3)}</span>
    </>
  );
}
