// SPDX-License-Identifier: AGPL-3.0-only
import { useState } from "preact/hooks";
import { openOrders, positions } from "../../state/account";
import { go } from "../../state/router";
import { change, shownTheme } from "../../state/settings";
import { choose, nameOf, number, numbers, subaccounts } from "../../state/subaccounts";
import { listed, ticker } from "../../state/venue";
import { askSide, type Dialog, dialog } from "../../state/view";
import { address, disconnect } from "../../state/wallet";
import { cancelEverything, closeEverything } from "../actions";
import { Modal } from "../Modal";

interface Command {
  text: string;
  hint?: string;
  run: () => void;
}

function commands(): Command[] {
  const open = (next: Dialog) => () => (dialog.value = next);
  const connected = address.value !== null;
  return [
    ...[...listed.value.keys()].map((name) => ({ text: name, hint: "Market", run: () => go(`/trade/${name}`) })),
    {
      text: "Buy / Long",
      hint: "B",
      run: () => {
        go(`/trade/${ticker.value}`);
        askSide(true);
      },
    },
    {
      text: "Sell / Short",
      hint: "S",
      run: () => {
        go(`/trade/${ticker.value}`);
        askSide(false);
      },
    },
    ...(connected
      ? [
          { text: "Deposit", run: open({ kind: "deposit" }) },
          { text: "Withdraw", run: open({ kind: "withdraw" }) },
          ...numbers.value
            .filter((one) => one !== number.value)
            .map((one) => ({ text: `Switch to ${nameOf(one)}`, hint: "Subaccount", run: () => choose(one) })),
          ...(subaccounts.value?.length
            ? [{ text: "Transfer between subaccounts", run: open({ kind: "transfer" }) }]
            : []),
          ...(openOrders.value.length
            ? [
                { text: "Cancel all orders", run: () => cancelEverything() },
                { text: `Cancel all orders of ${ticker.value}`, hint: "X", run: () => cancelEverything(ticker.value) },
              ]
            : []),
          ...positions.value.map((one) => ({
            text: `Close ${one.market.ticker}`,
            run: open({ kind: "closePosition", market: one.market.ticker }),
          })),
          ...positions.value.map((one) => ({
            text: `Take profit and stop of ${one.market.ticker}`,
            run: open({ kind: "exits", market: one.market.ticker }),
          })),
          ...(positions.value.length > 1 ? [{ text: "Close all positions", run: closeEverything }] : []),
          { text: "Disconnect", run: disconnect },
        ]
      : [{ text: "Connect a wallet", run: open({ kind: "connect" }) }]),
    { text: "Price alerts", run: open({ kind: "alerts" }) },
    { text: "Portfolio", hint: "P", run: () => go("/portfolio") },
    { text: "Session keys", run: () => go("/keys") },
    { text: "Settings", run: () => go("/settings") },
    { text: "Help", hint: "?", run: () => go("/help") },
    {
      text: `Switch to the ${shownTheme.value === "dark" ? "light" : "dark"} theme`,
      run: () => change({ theme: shownTheme.value === "dark" ? "light" : "dark" }),
    },
  ];
}

export function Palette() {
  const [search, setSearch] = useState("");
  const [at, setAt] = useState(0);
  const words = search.trim().toLowerCase().split(/\s+/);
  const shown = commands().filter((command) => words.every((word) => command.text.toLowerCase().includes(word)));
  const chosen = Math.min(at, shown.length - 1);
  const run = (command: Command | undefined) => {
    if (!command) return;
    dialog.value = null;
    command.run();
  };
  function onKeyDown(event: KeyboardEvent) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      setAt((chosen + by + shown.length) % Math.max(1, shown.length));
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(shown[chosen]);
    }
  }
  return (
    <Modal title="Commands" class="palette">
      <div class="field">
        <label class="visually-hidden" for="palette-search">
          Search markets and commands
        </label>
        <div class="box">
          <input
            id="palette-search"
            type="text"
            role="combobox"
            aria-expanded="true"
            aria-controls="palette-list"
            aria-autocomplete="list"
            autofocus
            autocomplete="off"
            aria-activedescendant={chosen >= 0 ? `command-${chosen}` : undefined}
            placeholder="Search markets and commands"
            value={search}
            onInput={(event) => {
              setSearch(event.currentTarget.value);
              setAt(0);
            }}
            onKeyDown={onKeyDown}
          />
        </div>
      </div>
      <ul id="palette-list" role="listbox" aria-label="Commands" class="palette-list">
        {shown.map((command, place) => (
          <li
            key={command.text + (command.hint ?? "")}
            id={`command-${place}`}
            role="option"
            aria-selected={place === chosen}
            onClick={() => run(command)}
            onPointerMove={() => setAt(place)}
          >
            <span>{command.text}</span>
            {command.hint && <kbd>{command.hint}</kbd>}
          </li>
        ))}
        {shown.length === 0 && (
          <li class="muted" role="option" aria-selected="false" aria-disabled="true">
            Nothing matches.
          </li>
        )}
      </ul>
    </Modal>
  );
}
