// SPDX-License-Identifier: AGPL-3.0-only
import { useEffect, useState } from "preact/hooks";
import { sessionKeys } from "../api/reads";
import type { SessionKeyRecord } from "../api/types";
import { parse } from "../money/decimal";
import { moment, short, usd } from "../money/format";
import { usdc } from "../money/market";
import { registerKey, revokeKey } from "../state/funds";
import { notify } from "../state/notices";
import { forget, keep, oneClick, sessionKey, usable } from "../state/session-key";
import { change, settings } from "../state/settings";
import { listed } from "../state/venue";
import { dialog } from "../state/view";
import { address, wrongChain } from "../state/wallet";
import { Empty } from "../ui/bits";
import { type Column, DataTable } from "../ui/DataTable";
import { Amount, Check, Select } from "../ui/Field";
import { Icon } from "../ui/Icon";

const SPANS = [
  ["86400", "1 day"],
  ["604800", "7 days"],
  ["2592000", "30 days"],
  ["7776000", "90 days"],
] as const;
const POLL_MS = 1_500;

function Create({ done }: { done: () => void }) {
  const [name, setName] = useState("This browser");
  const [budget, setBudget] = useState("1000000");
  const [span, setSpan] = useState<(typeof SPANS)[number][0]>("604800");
  const [markets, setMarkets] = useState<string[]>([]);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const amount = parse(budget, 6);
  const tooMany = markets.length > 4;

  async function create() {
    const owner = address.value;
    if (!amount || !owner) return;
    setBusy(true);
    setProblem("");
    try {
      const { addressOf, newKey } = await import("../sign/local");
      const key = newKey();
      const expiry = Math.floor(Date.now() / 1000) + Number(span);
      const ids = markets.map((ticker) => BigInt(listed.value.get(ticker)!.id));
      await registerKey(owner, addressOf(key), ids, amount, BigInt(expiry));
      await keep(owner, { key, address: addressOf(key), name: name.trim() || "Session key", markets, expiry });
      change({ oneClick: true });
      notify("order", "good", "One-click trading is on", "Orders are now signed by this browser's session key.");
      done();
    } catch (error) {
      setProblem((error as Error).message);
    } finally {
      setBusy(false);
    }
  }

  return (
    <form
      class="card stack"
      aria-label="New session key"
      onSubmit={(event) => {
        event.preventDefault();
        void create();
      }}
    >
      <h2>{sessionKey.value ? "Replace the key of this browser" : "Turn on one-click trading"}</h2>
      <p class="muted">
        A key is made in this browser and registered on chain by your wallet, once. It signs orders and cancels without
        asking, for all of your subaccounts; it cannot move money.
      </p>
      <div class="field">
        <label class="label" for="key-name">
          Name
        </label>
        <div class="box">
          <input
            id="key-name"
            type="text"
            maxLength={40}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </div>
      </div>
      <Amount
        label="May trade in all"
        value={budget}
        onValue={setBudget}
        decimals={6}
        step={10_000_000_000n}
        suffix="USDC of notional"
        problem={amount ? null : "Enter an amount."}
        hint="Every fill takes its value off. The contract refuses what goes beyond."
      />
      <Select label="Ends after" value={span} options={SPANS} onValue={setSpan} />
      <fieldset class="stack">
        <legend class="label">Markets (none chosen: all)</legend>
        <div class="row wrap">
          {[...listed.value.keys()].map((ticker) => (
            <Check
              key={ticker}
              label={ticker}
              checked={markets.includes(ticker)}
              onChange={(on) => setMarkets(on ? [...markets, ticker] : markets.filter((one) => one !== ticker))}
            />
          ))}
        </div>
      </fieldset>
      {tooMany && <p class="note warn">A key names at most four markets. Choose none for all.</p>}
      {problem && (
        <p class="note bad" role="alert">
          {problem}
        </p>
      )}
      <button type="submit" class="button primary large" disabled={busy || !amount || tooMany || wrongChain.value}>
        {busy && <span class="spinner" aria-hidden="true" />}
        {busy ? "Confirm in your wallet" : "Register the key"}
      </button>
    </form>
  );
}

export function Keys() {
  const whose = address.value;
  const [rows, setRows] = useState<SessionKeyRecord[] | null>(null);
  const look = () => {
    if (whose) sessionKeys(whose).then(setRows, () => setRows((before) => before ?? []));
  };
  useEffect(() => {
    look();
    const poll = setInterval(() => document.hidden || look(), POLL_MS * 4);
    return () => clearInterval(poll);
  }, [whose]);
  if (!whose) {
    return (
      <div class="page">
        <h1>Session keys</h1>
        <Empty icon="key" text="Connect a wallet to see and make its session keys.">
          <button type="button" class="button primary" onClick={() => (dialog.value = { kind: "connect" })}>
            Connect
          </button>
        </Empty>
      </div>
    );
  }
  const soon = () => [1, 2, 4].forEach((times) => setTimeout(look, POLL_MS * times));
  const here = sessionKey.value;
  const isHere = (key: string) => here?.address.toLowerCase() === key.toLowerCase();

  async function revoke(key: string) {
    if (!whose) return;
    try {
      await revokeKey(whose, key);
      if (isHere(key)) await forget(whose);
      notify("order", "good", "Key revoked", "Its orders are refused after one settlement window.");
      soon();
    } catch (error) {
      notify("order", "bad", "Not revoked", (error as Error).message);
    }
  }

  const columns: readonly Column<SessionKeyRecord>[] = [
    {
      key: "key",
      label: "Key",
      text: true,
      value: (row) => row.key,
      cell: (row) => (
        <>
          <span class="mono" title={row.key}>
            {short(row.key)}
          </span>
          {isHere(row.key) && <span class="badge accent">{here!.name}</span>}
        </>
      ),
    },
    {
      key: "markets",
      label: "Markets",
      text: true,
      value: (row) => row.markets.join(" "),
      cell: (row) => row.markets.join(", ") || "All",
    },
    { key: "budget", label: "May still trade", value: (row) => row.budget, cell: (row) => usd(usdc(row.budget), 0) },
    { key: "expiry", label: "Ends", text: true, value: (row) => row.expiresAt, cell: (row) => moment(row.expiresAt) },
    {
      key: "status",
      label: "Status",
      text: true,
      value: (row) => row.status,
      cell: (row) => <span class={`badge ${row.status === "ACTIVE" ? "up" : ""}`}>{row.status.toLowerCase()}</span>,
    },
    {
      key: "revoke",
      label: "Revoke",
      cell: (row) =>
        row.status === "ACTIVE" && (
          <button type="button" class="button small danger" onClick={() => void revoke(row.key)}>
            Revoke<span class="visually-hidden"> {short(row.key)}</span>
          </button>
        ),
    },
  ];
  return (
    <div class="page">
      <h1>Session keys</h1>
      <p class="lead">
        A session key trades for you without a prompt for every order. You set on chain what it may do, and take it back
        when you like.
      </p>
      <div class="keys-grid">
        <div class="stack">
          <section class="card stack" aria-label="One-click trading">
            <div class="row between">
              <h2>One-click trading</h2>
              <span class={`badge ${oneClick.value ? "up" : ""}`}>
                <Icon name="bolt" size={12} /> {oneClick.value ? "On" : "Off"}
              </span>
            </div>
            {here ? (
              <>
                <p class="muted">
                  {usable.value
                    ? `“${here.name}” signs in this browser until ${moment(here.expiry * 1000)}.`
                    : "The key of this browser has ended. Make a new one."}
                </p>
                <Check
                  label="Sign orders with this browser's key"
                  checked={settings.value.oneClick}
                  disabled={!usable.value}
                  onChange={(on) => change({ oneClick: on })}
                />
                <p class="muted">
                  The key lies in this browser's IndexedDB, also while no wallet is connected. Whoever can run code in
                  this browser profile can trade with it, within its limits, and cannot withdraw.
                </p>
                <button
                  type="button"
                  class="button small"
                  title="Needs no network. On chain it stays registered until it is revoked."
                  onClick={() => void forget(whose)}
                >
                  Forget this key
                </button>
              </>
            ) : (
              <p class="muted">This browser has no key for the connected account.</p>
            )}
          </section>
          <Create done={soon} />
        </div>
        <section class="card table-card" aria-label="All keys of this account">
          <h2>All keys of this account</h2>
          <DataTable
            name="session-keys"
            rows={rows}
            columns={columns}
            rowKey={(row) => row.key}
            empty={{ icon: "key", text: "No key was ever registered." }}
          />
        </section>
      </div>
    </div>
  );
}
