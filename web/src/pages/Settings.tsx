// SPDX-License-Identifier: AGPL-3.0-only
import { useState } from "preact/hooks";
import { type Category, change, DEFAULTS, type Palette, settings, type Theme } from "../state/settings";
import { Segmented } from "../ui/Choice";
import { Amount, Check } from "../ui/Field";

const THEMES: readonly (readonly [Theme, string])[] = [
  ["dark", "Dark"],
  ["light", "Light"],
  ["system", "As the system"],
];
const PALETTES: readonly (readonly [Palette, string])[] = [
  ["standard", "Green, red"],
  ["blue-orange", "Blue, orange"],
  ["teal-magenta", "Teal, magenta"],
];
const CATEGORIES: readonly (readonly [Category, string])[] = [
  ["order", "Orders: placed, triggered, cancelled"],
  ["fill", "Fills"],
  ["liquidation", "Liquidations"],
  ["transfer", "Deposits and withdrawals"],
  ["price", "Price alerts"],
];

function Slippage() {
  const [text, setText] = useState(String(settings.value.slippagePpm / 10_000));
  const value = Number(text);
  const wrong = !(value >= 0.01 && value <= 10);
  return (
    <Amount
      label="Slippage cap of market orders"
      value={text}
      decimals={2}
      step={5n}
      suffix="%"
      problem={wrong ? "Between 0.01% and 10%." : null}
      hint="The worst price that you sign, against the best one in the book."
      onValue={(next) => {
        setText(next);
        const percent = Number(next);
        if (percent >= 0.01 && percent <= 10) change({ slippagePpm: Math.round(percent * 10_000) });
      }}
    />
  );
}

export function Settings() {
  const { theme, palette, confirmOrders, bookSide, muted } = settings.value;
  const mute = (one: Category, on: boolean) =>
    change({ muted: on ? muted.filter((other) => other !== one) : [...muted, one] });
  return (
    <div class="page">
      <h1>Settings</h1>
      <p class="lead">Kept in this browser only.</p>
      <div class="cards">
        <section class="card stack" aria-label="Appearance">
          <h2>Appearance</h2>
          <span class="label">Theme</span>
          <Segmented label="Theme" value={theme} options={THEMES} onValue={(next) => change({ theme: next })} />
          <span class="label">Colours of gain and loss</span>
          <Segmented
            label="Colours of gain and loss"
            value={palette}
            options={PALETTES}
            onValue={(next) => change({ palette: next })}
          />
          <p class="num">
            <span class="up">▲ +1.24%</span> &nbsp; <span class="down">▼ −0.87%</span>
          </p>
          <p class="muted">
            Blue and orange suit red-green colour blindness, teal and magenta blue-yellow. Signs say the same as the
            colours.
          </p>
          <span class="label">Order book</span>
          <Segmented
            label="Side of the order book"
            value={bookSide}
            options={[
              ["right", "Right of the chart"],
              ["left", "Left of it"],
            ]}
            onValue={(next) => change({ bookSide: next })}
          />
        </section>
        <div class="stack">
          <section class="card stack" aria-label="Trading">
            <h2>Trading</h2>
            <Slippage />
            <Check
              label="Ask before an order is sent"
              checked={confirmOrders}
              onChange={(on) => change({ confirmOrders: on })}
            />
          </section>
          <section class="card stack" aria-label="Reset">
            <h2>Reset</h2>
            <p class="muted">Puts everything on this page back. Wallets, keys and favourites stay.</p>
            <div>
              <button type="button" class="button line" onClick={() => change(DEFAULTS)}>
                Reset settings
              </button>
            </div>
          </section>
        </div>
        <section class="card stack" aria-label="Notifications">
          <h2>Notifications</h2>
          {CATEGORIES.map(([key, text]) => (
            <Check key={key} label={text} checked={!muted.includes(key)} onChange={(on) => mute(key, on)} />
          ))}
          <p class="muted">What is muted still stands behind the bell. Failures are always shown.</p>
        </section>
      </div>
    </div>
  );
}
