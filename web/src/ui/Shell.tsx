// SPDX-License-Identifier: AGPL-3.0-only
import { useEffect, useRef, useState } from "preact/hooks";
import { clock, short, usd } from "../money/format";
import { standing, subaccount } from "../state/account";
import { markRead, notices, notify, unread } from "../state/notices";
import { path } from "../state/router";
import { oneClick } from "../state/session-key";
import { change, shownTheme } from "../state/settings";
import { nameOf, number } from "../state/subaccounts";
import { config, streamState, ticker } from "../state/venue";
import { dialog, menuOpen } from "../state/view";
import { address, disconnect, switchChain, wallet, wrongChain } from "../state/wallet";
import { Link } from "./bits";
import { Icon, Logo } from "./Icon";
import { SubaccountList } from "./Subaccounts";

const LIVE = { live: "Live", connecting: "Connecting", down: "Offline" } as const;

const current = (area: string) => path.value.startsWith(`/${area}`);

/** Closes when something else is pressed, or with Escape. */
function useMenu() {
  const [open, setOpen] = useState(false);
  const anchor = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    menuOpen.value = true;
    const outside = (event: Event) => !anchor.current?.contains(event.target as Node) && setOpen(false);
    const onEscape = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      anchor.current?.querySelector("button")?.focus();
    };
    addEventListener("pointerdown", outside);
    addEventListener("focusin", outside);
    addEventListener("keydown", onEscape);
    return () => {
      menuOpen.value = false;
      removeEventListener("pointerdown", outside);
      removeEventListener("focusin", outside);
      removeEventListener("keydown", onEscape);
    };
  }, [open]);
  // A link of the menu leads elsewhere.
  useEffect(() => setOpen(false), [path.value]);
  return { open, setOpen, anchor };
}

function Bell() {
  const { open, setOpen, anchor } = useMenu();
  return (
    <div class="menu-anchor" ref={anchor}>
      <button
        type="button"
        class="icon-button"
        aria-expanded={open}
        aria-label={unread.value ? `Notifications, ${unread.value} new` : "Notifications"}
        onClick={() => {
          setOpen(!open);
          markRead();
        }}
      >
        <Icon name="bell" />
        {unread.value > 0 && <span class="dot" />}
      </button>
      {open && (
        <div class="menu popover">
          <div class="row between">
            <h2>Notifications</h2>
            <button
              type="button"
              class="button small ghost"
              onClick={() => {
                setOpen(false);
                dialog.value = { kind: "alerts" };
              }}
            >
              Price alerts
            </button>
          </div>
          <div class="scroll" tabIndex={0} role="region" aria-label="Notifications">
            {notices.value.length === 0 && <p class="notice muted">Nothing has happened yet.</p>}
            {notices.value.map((notice) => (
              <div key={notice.id} class="notice">
                <strong class={notice.tone === "bad" ? "down" : ""}>{notice.title}</strong>
                <span class="muted break">{notice.text}</span> <span class="faint num">{clock(notice.at)}</span>
              </div>
            ))}
          </div>
        </div>
      )}
    </div>
  );
}

function AccountMenu() {
  const { open, setOpen, anchor } = useMenu();
  const who = address.value!;
  const close = (then: () => void) => () => {
    setOpen(false);
    then();
  };
  return (
    <div class="menu-anchor" ref={anchor}>
      <button type="button" class="button account-chip" aria-expanded={open} onClick={() => setOpen(!open)}>
        {wallet.value?.icon ? (
          <img src={wallet.value.icon} alt="" />
        ) : (
          <Icon name={oneClick.value ? "bolt" : "wallet"} size={14} />
        )}
        <span class="num">{short(who)}</span>
        <Icon name="down" size={12} />
      </button>
      {open && (
        <div class="menu popover">
          <div class="notice">
            <strong>{wallet.value?.name}</strong>
            {wallet.value?.development && <span class="warn">Local chain only: its key lies in this browser. </span>}
            <span class="muted mono break">{who}</span>
          </div>
          <div class="narrow-only">
            <SubaccountList done={() => setOpen(false)} />
            <hr />
          </div>
          <button
            type="button"
            class="item"
            onClick={close(() => {
              navigator.clipboard.writeText(who).then(
                () => notify("transfer", "plain", "Address copied"),
                () => {},
              );
            })}
          >
            <Icon name="copy" /> Copy address
          </button>
          <button type="button" class="item" onClick={close(() => (dialog.value = { kind: "deposit" }))}>
            <Icon name="download" /> Deposit
          </button>
          <button type="button" class="item" onClick={close(() => (dialog.value = { kind: "withdraw" }))}>
            <Icon name="swap" /> Withdraw
          </button>
          <Link class="item" to="/keys">
            <Icon name="key" /> Session keys {oneClick.value && <span class="badge accent">one-click on</span>}
          </Link>
          <hr />
          <button type="button" class="item" onClick={close(disconnect)}>
            <Icon name="close" /> Disconnect
          </button>
        </div>
      )}
    </div>
  );
}

/** Which subaccount trades, and its equity. On phones it is in the account's menu. */
function SubaccountMenu() {
  const { open, setOpen, anchor } = useMenu();
  if (!subaccount.value && number.value === 0) return null;
  return (
    <div class="menu-anchor wide-only" ref={anchor}>
      <button
        type="button"
        class="button ghost subaccount-chip"
        aria-expanded={open}
        title="Subaccount and its equity"
        onClick={() => setOpen(!open)}
      >
        <span class="visually-hidden">Subaccount: </span>
        <span class="muted">{nameOf(number.value)}</span>
        <span class="num">{subaccount.value ? usd(standing.value.equity) : "–"}</span>
        <Icon name="down" size={12} />
      </button>
      {open && (
        <div class="menu popover">
          <h2>Subaccounts</h2>
          <SubaccountList done={() => setOpen(false)} />
          <p class="notice muted">Each has its own margin: what one loses, the others keep.</p>
        </div>
      )}
    </div>
  );
}

export function TopBar() {
  return (
    <header class="topbar">
      <Link class="brand" to={`/trade/${ticker.value}`}>
        <Logo />
        <span>Ouro</span>
      </Link>
      <nav class="main" aria-label="Main">
        <Link to={`/trade/${ticker.value}`} current={current("trade")}>
          Trade
        </Link>
        <Link to="/portfolio" current={current("portfolio")}>
          Portfolio
        </Link>
        <Link to="/keys" current={current("keys")}>
          Session keys
        </Link>
        <Link to="/settings" current={current("settings")}>
          Settings
        </Link>
        <Link to="/help" current={current("help")}>
          Help
        </Link>
      </nav>
      <div class="end">
        {config.value?.testNetwork && (
          <span class="badge warn wide-only roomy-only" title="Nothing here is real money">
            Test network
          </span>
        )}
        <span class={`live ${streamState.value}`} title="State of the live stream">
          <span>{LIVE[streamState.value]}</span>
        </span>
        <button
          type="button"
          class="icon-button wide-only roomy-only"
          aria-label="Search markets and commands"
          title="Ctrl K"
          onClick={() => (dialog.value = { kind: "palette" })}
        >
          <Icon name="search" />
        </button>
        <button
          type="button"
          class="icon-button wide-only roomy-only"
          aria-label={`Switch to the ${shownTheme.value === "dark" ? "light" : "dark"} theme`}
          onClick={() => change({ theme: shownTheme.value === "dark" ? "light" : "dark" })}
        >
          <ThemeIcon />
        </button>
        <Bell />
        {address.value === null ? (
          <button type="button" class="button primary" onClick={() => (dialog.value = { kind: "connect" })}>
            Connect
          </button>
        ) : (
          <>
            {wrongChain.value && (
              <button
                type="button"
                class="button danger"
                onClick={() =>
                  void switchChain().catch((error: Error) =>
                    notify("transfer", "bad", "The chain was not changed", error.message),
                  )
                }
              >
                <Icon name="warn" /> Switch chain
              </button>
            )}
            <SubaccountMenu />
            <button
              type="button"
              class="button wide-only roomy-only"
              onClick={() => (dialog.value = { kind: "deposit" })}
            >
              Deposit
            </button>
            <AccountMenu />
          </>
        )}
      </div>
    </header>
  );
}

const ThemeIcon = () => (
  <svg
    width="16"
    height="16"
    viewBox="0 0 16 16"
    fill="none"
    stroke="currentColor"
    stroke-width="1.4"
    aria-hidden="true"
  >
    <circle cx="8" cy="8" r="5.6" />
    <path d="M8 2.4a5.6 5.6 0 0 1 0 11.2z" fill="currentColor" stroke="none" />
  </svg>
);

export function BottomBar() {
  return (
    <nav class="bottombar" aria-label="Main, phone">
      <Link to={`/trade/${ticker.value}`} current={current("trade")}>
        <Icon name="chart" size={20} />
        Trade
      </Link>
      <Link to="/portfolio" current={current("portfolio")}>
        <Icon name="pie" size={20} />
        Portfolio
      </Link>
      <Link to="/keys" current={current("keys")}>
        <Icon name="key" size={20} />
        Keys
      </Link>
      <Link to="/settings" current={current("settings")}>
        <Icon name="gear" size={20} />
        Settings
      </Link>
      <Link to="/help" current={current("help")}>
        <Icon name="help" size={20} />
        Help
      </Link>
    </nav>
  );
}

export function Footer() {
  return (
    <footer class="foot">
      <span>
        Charts by{" "}
        <a href="https://www.tradingview.com/" rel="noreferrer" target="_blank">
          TradingView
        </a>
      </span>
      <span>Non-custodial: every fill settles on chain.</span>
      <span class="wide-only">
        <kbd>Ctrl K</kbd> commands
      </span>
    </footer>
  );
}
