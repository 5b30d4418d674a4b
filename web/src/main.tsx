// SPDX-License-Identifier: AGPL-3.0-only
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/choices.css";
import "./styles/overlays.css";
import "./styles/shell.css";
import "./styles/trade.css";
import "./styles/market.css";
import "./styles/book.css";
import "./styles/ticket.css";
import "./styles/trade-sizes.css";
import "./styles/tables.css";
import "./styles/pages.css";
import { effect } from "@preact/signals";
import { render } from "preact";
import "./state/alerts";
import { watch } from "./state/health";
import { config, start } from "./state/venue";
import { reconnect } from "./state/wallet";
import { App } from "./ui/App";
import { discover } from "./wallet/discovery";

discover();
void start();
watch();
// Wallets announce themselves within a moment of the page's start; the exchange's chain must be known first.
const stop = effect(() => {
  if (!config.value) return;
  queueMicrotask(() => stop());
  setTimeout(() => void reconnect().catch(() => {}), 50);
});
// What the page shows until here is only its head. A task of its own: the first paint need not wait for the rest.
setTimeout(() => {
  const root = document.getElementById("app")!;
  root.textContent = "";
  render(<App />, root);
});

if ("serviceWorker" in navigator && import.meta.env.PROD) {
  addEventListener("load", () => void navigator.serviceWorker.register("/sw.js").catch(() => {}));
}
