// SPDX-License-Identifier: AGPL-3.0-only
import { useState } from "preact/hooks";
import { units } from "../../money/decimal";
import { compactUsd, percent, price, ratio } from "../../money/format";
import { lots, type Market, priceUnits, usdc } from "../../money/market";
import { go } from "../../state/router";
import { favourites } from "../../state/settings";
import { listed, marketData, sparklines, ticker } from "../../state/venue";
import { Empty, Sparkline, tone } from "../../ui/bits";
import { Icon } from "../../ui/Icon";
import { MarketIcon } from "../../ui/MarketIcon";

type Column = "market" | "price" | "change" | "volume" | "interest" | "funding";

interface Row {
  market: Market;
  price: bigint;
  change: bigint;
  /** Change in millionths of the price a day ago, to sort by. */
  changePpm: bigint;
  volume: bigint;
  interest: bigint;
  funding: string;
}

function rows(): Row[] {
  const found: Row[] = [];
  for (const market of listed.value.values()) {
    const data = marketData.value[market.ticker];
    if (!data) continue;
    const index = priceUnits(market, data.oraclePrice);
    const change = priceUnits(market, data.priceChange24H);
    found.push({
      market,
      price: index,
      change,
      changePpm: index - change === 0n ? 0n : (change * 1_000_000n) / (index - change),
      volume: usdc(data.volume24H),
      interest: lots(market, data.openInterest) * index,
      funding: data.fundingRate,
    });
  }
  return found;
}

const KEYS: Record<Column, (row: Row) => bigint | string> = {
  market: (row) => row.market.ticker,
  price: (row) => row.price,
  change: (row) => row.changePpm,
  volume: (row) => row.volume,
  interest: (row) => row.interest,
  funding: (row) => units(row.funding, 12),
};

function star(name: string) {
  const list = favourites.value;
  favourites.value = list.includes(name) ? list.filter((one) => one !== name) : [...list, name];
}

export function MarketList({ onChosen }: { onChosen: () => void }) {
  const [search, setSearch] = useState("");
  const [only, setOnly] = useState(false);
  const [sort, setSort] = useState<{ by: Column; up: boolean }>({ by: "volume", up: false });
  const shown = rows()
    .filter((row) => row.market.ticker.toLowerCase().includes(search.trim().toLowerCase()))
    .filter((row) => !only || favourites.value.includes(row.market.ticker))
    .sort((a, b) => {
      const [left, right] = [KEYS[sort.by](a), KEYS[sort.by](b)];
      return (left < right ? -1 : left > right ? 1 : 0) * (sort.up ? 1 : -1);
    });

  function choose(name: string) {
    onChosen();
    go(`/trade/${name}`);
  }

  const head = (by: Column, text: string) => (
    <th scope="col" aria-sort={sort.by === by ? (sort.up ? "ascending" : "descending") : undefined}>
      <button type="button" onClick={() => setSort({ by, up: sort.by === by ? !sort.up : by === "market" })}>
        {text}
        {sort.by === by ? (sort.up ? " ↑" : " ↓") : ""}
      </button>
    </th>
  );

  return (
    <div class="market-list">
      <div class="row market-search">
        <Icon name="search" />
        <input
          type="search"
          aria-label="Search markets"
          placeholder="Search markets"
          value={search}
          autofocus
          onInput={(event) => setSearch(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Enter" && shown[0] && choose(shown[0].market.ticker)}
        />
        <button type="button" class="button small" aria-pressed={only} onClick={() => setOnly(!only)}>
          <Icon name="star" size={13} filled={only} /> Favourites
        </button>
      </div>
      {shown.length === 0 ? (
        <Empty icon="search" text={only ? "You have no favourites here yet." : "No market matches."} />
      ) : (
        <div class="scroll-x">
          <table class="data">
            <thead>
              <tr>
                <th scope="col">
                  <span class="visually-hidden">Favourite</span>
                </th>
                {head("market", "Market")}
                {head("price", "Index")}
                {head("change", "24h")}
                <th scope="col" class="spark">
                  Last day
                </th>
                {head("volume", "Volume")}
                {head("interest", "Open interest")}
                {head("funding", "Funding")}
              </tr>
            </thead>
            <tbody>
              {shown.map((row) => {
                const name = row.market.ticker;
                const loved = favourites.value.includes(name);
                return (
                  <tr key={name} class={name === ticker.value ? "chosen" : ""} onClick={() => choose(name)}>
                    <td>
                      <button
                        type="button"
                        class="icon-button small"
                        aria-pressed={loved}
                        aria-label={`Favourite ${name}`}
                        onClick={(event) => {
                          event.stopPropagation();
                          star(name);
                        }}
                      >
                        <Icon name="star" size={14} filled={loved} />
                      </button>
                    </td>
                    <td>
                      <button type="button" class="plain row" onClick={() => choose(name)}>
                        <MarketIcon ticker={name} size={20} /> {name}
                      </button>
                    </td>
                    <td class="num">{price(row.market, row.price)}</td>
                    <td class={`num ${tone(row.change)}`}>{ratio(row.change, row.price - row.change, 2, true)}</td>
                    <td class="spark">
                      <Sparkline closes={sparklines.value[name]} />
                    </td>
                    <td class="num">{compactUsd(row.volume)}</td>
                    <td class="num">{compactUsd(row.interest)}</td>
                    <td class="num">{percent(row.funding, 4, true)}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}
