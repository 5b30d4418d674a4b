// SPDX-License-Identifier: AGPL-3.0-only
import { useState } from "preact/hooks";
import { openOrders, positions } from "../../../state/account";
import { dialog } from "../../../state/view";
import { address } from "../../../state/wallet";
import { Empty } from "../../../ui/bits";
import { Tabs } from "../../../ui/Choice";
import { lazily } from "../../../ui/lazy";
import { Orders } from "./Orders";
import { Positions } from "./Positions";

const load = <K extends "Fills" | "Funding" | "Transfers" | "Closed" | "PastOrders">(name: K) =>
  lazily(() => import("./History").then((module) => module[name]));
const Fills = load("Fills");
const Funding = load("Funding");
const Transfers = load("Transfers");
const Closed = load("Closed");
const PastOrders = load("PastOrders");

type Tab = "positions" | "orders" | "history" | "fills" | "funding" | "transfers" | "closed";

export function Tables() {
  const [tab, setTab] = useState<Tab>("positions");
  const count = (value: number) => (value ? <span class="count">{value}</span> : null);
  const shown = {
    positions: Positions,
    orders: Orders,
    history: PastOrders,
    fills: Fills,
    funding: Funding,
    transfers: Transfers,
    closed: Closed,
  };
  const Shown = shown[tab];
  return (
    <>
      <div class="panel-head">
        <Tabs
          label="Account tables"
          panel="tables-panel"
          value={tab}
          onValue={setTab}
          options={[
            ["positions", <>Positions{count(positions.value.length)}</>],
            ["orders", <>Open orders{count(openOrders.value.length)}</>],
            ["history", "Order history"],
            ["fills", "Fills"],
            ["funding", "Funding"],
            ["transfers", "Transfers"],
            ["closed", "Closed positions"],
          ]}
        />
      </div>
      <div class="tables-panel" id="tables-panel" role="tabpanel" aria-labelledby={`tables-panel-${tab}`}>
        {address.value ? (
          <Shown />
        ) : (
          <Empty icon="wallet" text="Connect a wallet to see your account.">
            <button type="button" class="button" onClick={() => (dialog.value = { kind: "connect" })}>
              Connect
            </button>
          </Empty>
        )}
      </div>
    </>
  );
}
