// SPDX-License-Identifier: AGPL-3.0-only
import { useEffect, useState } from "preact/hooks";
import { withdrawals } from "../../api/reads";
import type { WithdrawalRecord } from "../../api/types";
import { min, parse } from "../../money/decimal";
import { countdown, usd } from "../../money/format";
import { usdc } from "../../money/market";
import { refresh, subaccount } from "../../state/account";
import { cancelWithdrawal, executeWithdrawal, requestWithdrawal, room, withdrawNow } from "../../state/funds";
import { notify } from "../../state/notices";
import { nameOf, number, numbers } from "../../state/subaccounts";
import { config, now } from "../../state/venue";
import { address } from "../../state/wallet";
import { MoneyAmount } from "../Amounts";
import { Facts } from "../bits";
import { Segmented } from "../Choice";
import { Modal } from "../Modal";
import { type StepState, Steps } from "../Steps";
import { Connect } from "./Connect";

type Way = "instant" | "queue";

export function Withdraw() {
  const [way, setWay] = useState<Way>("instant");
  const [text, setText] = useState("");
  const [limits, setLimits] = useState<{ queued: bigint; instant: bigint } | null>(null);
  const [queue, setQueue] = useState<WithdrawalRecord[]>([]);
  const [step, setStep] = useState<"sign" | "cosign" | "send" | "done" | "failed" | null>(null);
  const [problem, setProblem] = useState("");
  const whose = address.value;

  const look = () => {
    room().then(setLimits, () => setLimits(null));
    if (whose) withdrawals(whose).then(setQueue, () => {});
  };
  useEffect(look, [whose]);
  if (!whose) return <Connect />;

  const free = usdc(subaccount.value?.withdrawable);
  const cap = limits ? (way === "instant" ? limits.instant : limits.queued) : null;
  const most = cap === null ? free : min(free, cap);
  const amount = parse(text, 6);
  const wrong = !text
    ? null
    : amount === null || amount === 0n
      ? "That is not an amount."
      : amount > free
        ? "More than may be withdrawn."
        : way === "instant" && cap !== null && amount > cap
          ? "More than may leave at once now; use the queue."
          : null;
  const delay = config.value?.withdrawalDelay ?? 0;
  const busy = step !== null && step !== "failed" && step !== "done";

  async function run() {
    if (!amount || wrong || busy) return;
    setProblem("");
    try {
      if (way === "instant") {
        await withdrawNow(whose!, amount, setStep);
      } else {
        setStep("send");
        await requestWithdrawal(whose!, amount);
      }
      setStep("done");
      setText("");
      notify("transfer", "good", way === "instant" ? "Withdrawn" : "Withdrawal requested", usd(amount));
      setTimeout(() => {
        refresh();
        look();
      }, 1_500);
    } catch (error) {
      setStep("failed");
      setProblem((error as Error).message);
    }
  }

  const names: readonly ["sign" | "cosign" | "send", string][] =
    way === "instant"
      ? [
          ["sign", "Sign the withdrawal"],
          ["cosign", "The operator co-signs"],
          ["send", "Pay it out on chain"],
        ]
      : [["send", "Send the request to the Vault"]];
  const reached = names.findIndex(([name]) => name === step);
  const state = (at: number): StepState => (step === "done" || at < reached ? "done" : at === reached ? "now" : "todo");
  const waiting = queue.filter((one) => one.status === "PENDING");
  return (
    <Modal title="Withdraw USDC">
      {busy || step === "done" ? (
        <>
          <Steps steps={names.map(([, name], at) => ({ text: name, state: state(at) }))} />
          {step === "done" && (
            <button type="button" class="button large" onClick={() => setStep(null)}>
              Back
            </button>
          )}
        </>
      ) : (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            void run();
          }}
        >
          <Segmented
            label="Way"
            value={way}
            onValue={setWay}
            options={[
              ["instant", "At once"],
              ["queue", "Without the operator"],
            ]}
          />
          <p class="muted">
            {way === "instant"
              ? "The operator co-signs and the Vault pays in the same transaction."
              : `Needs nobody's consent: the Vault pays ${Math.round(delay / 60)} minutes after the request.`}
          </p>
          <MoneyAmount most={most} value={text} onValue={setText} problem={wrong} />
          <Facts
            rows={[
              ...(numbers.value.length > 1 ? ([["From", nameOf(number.value)]] as [string, string][]) : []),
              ["Withdrawable", usd(free), "Cash that open positions do not need"],
              ["May leave the Vault now", limits ? usd(cap!) : "–", "The Vault's caps per hour and day"],
              [
                "To",
                <span class="mono">
                  {whose.slice(0, 8)}…{whose.slice(-6)}
                </span>,
              ],
            ]}
          />
          {problem && (
            <p class="note bad" role="alert">
              {problem}
            </p>
          )}
          <button type="submit" class="button primary large" disabled={!amount || Boolean(wrong)}>
            {way === "instant" ? "Withdraw" : "Request"}
          </button>
        </form>
      )}
      {waiting.length > 0 && (
        <section class="stack">
          <h3>Waiting</h3>
          {waiting.map((one) => (
            <Waiting
              key={one.id}
              whose={whose}
              one={one}
              done={() => {
                refresh();
                look();
              }}
            />
          ))}
        </section>
      )}
    </Modal>
  );
}

function Waiting({ whose, one, done }: { whose: string; one: WithdrawalRecord; done: () => void }) {
  const [busy, setBusy] = useState(false);
  const left = Date.parse(one.readyAt) - now.value;
  const run = (work: Promise<string>, text: string) => {
    setBusy(true);
    work
      .then(
        () => notify("transfer", "good", text),
        (error: Error) => notify("transfer", "bad", "Not done", error.message),
      )
      .finally(() => {
        setBusy(false);
        setTimeout(done, 1_500);
      });
  };
  return (
    <div class="row between">
      <span class="num">
        {usd(usdc(one.size))} {left > 0 && <span class="muted">in {countdown(left)}</span>}
      </span>
      <span class="row">
        <button
          type="button"
          class="button small"
          disabled={busy || left > 0}
          onClick={() => run(executeWithdrawal(whose, one.id), "Withdrawal paid")}
        >
          Execute
        </button>
        <button
          type="button"
          class="button small line"
          disabled={busy}
          onClick={() => run(cancelWithdrawal(whose, one.id), "Withdrawal cancelled")}
        >
          Cancel
        </button>
      </span>
    </div>
  );
}
