// SPDX-License-Identifier: AGPL-3.0-only
import { useEffect } from "preact/hooks";
import { Trade } from "../pages/trade/Trade";
import { banner } from "../state/health";
import { go, path } from "../state/router";
import { ticker } from "../state/venue";
import { menuOpen } from "../state/view";
import { Dialogs } from "./Dialogs";
import { listenForKeys } from "./keys";
import { lazily } from "./lazy";
import { BottomBar, Footer, TopBar } from "./Shell";
import { Toasts } from "./Toasts";

const Portfolio = lazily(() => import("../pages/Portfolio").then((module) => module.Portfolio));
const Keys = lazily(() => import("../pages/Keys").then((module) => module.Keys));
const Settings = lazily(() => import("../pages/Settings").then((module) => module.Settings));
const Help = lazily(() => import("../pages/Help").then((module) => module.Help));

const TITLES: Record<string, string> = {
  portfolio: "Portfolio",
  keys: "Session keys",
  settings: "Settings",
  help: "Help",
};

function Page() {
  const [, area = "", name = ""] = path.value.split("/");
  useEffect(() => {
    if (area === "trade" && name) ticker.value = decodeURIComponent(name).toUpperCase();
    else if (!(area in TITLES)) go(`/trade/${ticker.value}`, true);
    if (area in TITLES) document.title = `${TITLES[area]} · Ouro`;
  }, [area, name]);
  switch (area) {
    case "portfolio":
      return <Portfolio />;
    case "keys":
      return <Keys />;
    case "settings":
      return <Settings />;
    case "help":
      return <Help />;
    default:
      return <Trade />;
  }
}

export function App() {
  useEffect(listenForKeys, []);
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <TopBar />
      {banner.value && (
        <div class={`banner ${banner.value.level}`} role="alert">
          <strong>{banner.value.text}</strong> {banner.value.still}
        </div>
      )}
      <main id="main" class="grow" tabIndex={-1} inert={menuOpen.value}>
        <Page />
      </main>
      <Footer />
      <BottomBar />
      <Dialogs />
      <Toasts />
    </>
  );
}
