// SPDX-License-Identifier: AGPL-3.0-only
import { useRef, useState } from "preact/hooks";
import { positions } from "../../state/account";
import { path } from "../../state/router";
import { narrow } from "../../state/screen";
import { settings } from "../../state/settings";
import { configError, listed, market, ticker } from "../../state/venue";
import { askSide, ticketOpen } from "../../state/view";
import { Empty, Link } from "../../ui/bits";
import { Tabs } from "../../ui/Choice";
import { Later } from "../../ui/Later";
import { lazily } from "../../ui/lazy";
import { Onboarding } from "../../ui/Onboarding";
import { AccountCard } from "./AccountCard";
import { Book } from "./Book";
import { MarketBar } from "./MarketBar";
import { Tape } from "./Tape";
import { Tables } from "./tables/Tables";
import { Ticket } from "./ticket/Ticket";

const chartCode = () => import("./ChartPanel");
// Who comes for the chart need not wait for the first paint until it is fetched.
if (path.peek() === "/" || path.peek().startsWith("/trade")) void chartCode().catch(() => {});

const ChartPanel = lazily(
  () => chartCode().then((module) => module.ChartPanel),
  () => <div class="chart-wait skeleton" aria-hidden="true" />,
);

export function Trade() {
  const [side, setSide] = useState<"book" | "trades">("book");
  const [phone, setPhone] = useState<"chart" | "book" | "trades">("chart");
  // A phone shows one panel at a time, and the ticket when it is asked for: what is hidden is not drawn.
  const asked = useRef(false);
  asked.current ||= !narrow.value || ticketOpen.value;
  const bookShown = !narrow.value || phone !== "chart";
  if (listed.value.size > 0 && !market.value) {
    const [first = "BTC-USD"] = listed.value.keys();
    return (
      <div class="page">
        <Empty icon="chart" text={`There is no market called ${ticker.value}.`}>
          <Link class="button" to={`/trade/${first}`}>
            Go to {first}
          </Link>
        </Empty>
      </div>
    );
  }
  return (
    <div class={`trade book-${settings.value.bookSide}`} data-phone={phone} data-held={positions.value.length > 0}>
      <h1 class="visually-hidden">Trade {ticker.value}</h1>
      <MarketBar />
      <div class="phone-tabs">
        <Tabs
          label="Chart, book or trades"
          panel="phone-panel"
          controls={{ chart: "chart-panel", book: "book-panel", trades: "book-panel" }}
          value={phone}
          onValue={setPhone}
          options={[
            ["chart", "Chart"],
            ["book", "Order book"],
            ["trades", "Trades"],
          ]}
        />
      </div>
      <section class="panel chart-area" id="chart-panel" aria-label="Chart">
        {configError.value ? null : <ChartPanel />}
      </section>
      <section class="panel book-area" aria-label="Order book and trades">
        <div class="panel-head">
          <Tabs
            label="Book or trades"
            panel="book-panel"
            value={side}
            onValue={setSide}
            options={[
              ["book", "Order book"],
              ["trades", "Trades"],
            ]}
          />
        </div>
        <div class="book-panel" id="book-panel" role="tabpanel" aria-label={side === "book" ? "Order book" : "Trades"}>
          {bookShown && <Later>{(phone === "chart" ? side : phone) === "book" ? <Book /> : <Tape />}</Later>}
        </div>
      </section>
      <div
        class={`ticket-area ${ticketOpen.value ? "open" : ""}`}
        onKeyDown={(event) => {
          if (event.key === "Escape") ticketOpen.value = false;
        }}
      >
        <div class="sheet-shade" onClick={() => (ticketOpen.value = false)} />
        <div class="panel ticket-panel">
          {asked.current && (
            <Later>
              <Ticket />
              <Onboarding />
              <AccountCard />
            </Later>
          )}
        </div>
      </div>
      <section class="panel tables-area" aria-label="Your account">
        <Tables />
      </section>
      <div class="trade-actions">
        <button type="button" class="button buy" onClick={() => askSide(true)}>
          Buy / Long
        </button>
        <button type="button" class="button sell" onClick={() => askSide(false)}>
          Sell / Short
        </button>
      </div>
    </div>
  );
}
