// SPDX-License-Identifier: AGPL-3.0-only
import { useEffect, useState } from "preact/hooks";
import { faucet } from "../../api/reads";
import { parse, plain } from "../../money/decimal";
import { usd } from "../../money/format";
import { refresh, unknown } from "../../state/account";
import { approve, deposit, type Funds, funds } from "../../state/funds";
import { notify } from "../../state/notices";
import { choose, nameOf, nextNumber, number, numbers, subaccountOf } from "../../state/subaccounts";
import { config } from "../../state/venue";
import { address, wrongChain } from "../../state/wallet";
import { MoneyAmount } from "../Amounts";
import { Select } from "../Field";
import { closeDialog, Modal } from "../Modal";
import { type StepState, Steps } from "../Steps";
import { Connect } from "./Connect";

type Stage = "form" | "approve" | "deposit" | "credit" | "done" | "failed";

const ORDER: readonly Stage[] = ["approve", "deposit", "credit", "done"];

export function Deposit({ into: asked }: { into?: number | undefined }) {
  const [into, setInto] = useState(asked ?? number.peek());
  const [held, setHeld] = useState<Funds | null>(null);
  const [text, setText] = useState("");
  const [stage, setStage] = useState<Stage>("form");
  const [failedAt, setFailedAt] = useState<Stage>("approve");
  const [problem, setProblem] = useState("");
  const [asking, setAsking] = useState(false);
  const [before, setBefore] = useState<string | undefined>(undefined);
  const whose = address.value;

  const look = () =>
    funds().then(
      (found) => {
        // Of who is shown still: the wallet may have changed meanwhile.
        if (address.peek() !== whose) return null;
        setHeld(found);
        return found;
      },
      (error: Error) => {
        setProblem(error.message);
        return null;
      },
    );
  useEffect(() => {
    setHeld(null);
    if (whose) void look();
  }, [whose, wrongChain.value]);

  const credited = subaccountOf(into);
  // The exchange counts the money when its indexer has seen the block.
  useEffect(() => {
    if (stage !== "credit") return;
    if (credited && credited.cash !== before) {
      setStage("done");
      choose(into);
      return;
    }
    const wait = setInterval(() => refresh(), 1_000);
    return () => clearInterval(wait);
  }, [stage, credited?.cash]);

  if (!whose) return <Connect />;
  const amount = parse(text, 6);
  const wrong = !text
    ? null
    : amount === null || amount === 0n
      ? "That is not an amount."
      : held && amount > held.balance
        ? "More than the wallet holds."
        : null;

  async function give() {
    setAsking(true);
    setProblem("");
    try {
      await faucet(whose!);
      const found = await look();
      if (found && !text) setText(plain(found.balance, 6));
      notify("transfer", "good", "Test money received", "Test ETH and test USDC are in your wallet.");
    } catch (error) {
      setProblem((error as Error).message);
    } finally {
      setAsking(false);
    }
  }

  async function run() {
    if (!amount || !held || wrong) return;
    let at: Stage = "approve";
    setProblem("");
    try {
      if (held.allowance < amount) {
        setStage(at);
        await approve(whose!, amount);
      }
      at = "deposit";
      setStage(at);
      setBefore(subaccountOf(into)?.cash);
      await deposit(whose!, amount, into);
      setStage("credit");
      refresh();
    } catch (error) {
      setFailedAt(at);
      setStage("failed");
      setProblem((error as Error).message);
    }
  }

  const reached = ORDER.indexOf(stage === "failed" ? failedAt : stage);
  const state = (at: number): StepState =>
    stage === "failed" && at === reached
      ? "failed"
      : at < reached || stage === "done"
        ? "done"
        : at === reached
          ? "now"
          : "todo";
  const busy = stage !== "form" && stage !== "failed" && stage !== "done";
  const empty = held !== null && (held.balance === 0n || held.ether === 0n);
  return (
    <Modal title="Deposit USDC">
      {stage === "form" || stage === "failed" ? (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            void run();
          }}
        >
          <p class="muted">
            From your wallet into the Vault, as margin of your account. Only your signature takes it out again.
          </p>
          {config.value?.faucet && (
            <div class={`note row between ${empty ? "" : "soft"}`}>
              <span>{empty ? "This wallet has no test money yet." : "Test network: the money is worth nothing."}</span>
              <button
                type="button"
                class={`button small ${empty ? "primary" : ""}`}
                disabled={asking}
                onClick={() => void give()}
              >
                {asking && <span class="spinner" aria-hidden="true" />} Get test USDC
              </button>
            </div>
          )}
          {(numbers.value.length > 1 || into !== 0) && (
            <Select
              label="Into"
              value={String(into)}
              options={[...new Set([...numbers.value, nextNumber.value, into])]
                .sort((a, b) => a - b)
                .map((one) => [String(one), subaccountOf(one) ? nameOf(one) : `${nameOf(one)} (new)`] as const)}
              onValue={(value) => setInto(Number(value))}
            />
          )}
          <MoneyAmount
            most={held?.balance}
            value={text}
            onValue={setText}
            problem={wrong}
            hint={
              held ? (
                <>
                  In your wallet: <span class="num">{usd(held.balance)}</span>
                </>
              ) : (
                "Asking the chain for your balance…"
              )
            }
          />
          {problem && (
            <p class="note bad" role="alert">
              {problem}
            </p>
          )}
          <button
            type="submit"
            class="button primary large"
            disabled={!amount || !held || Boolean(wrong) || wrongChain.value}
          >
            {wrongChain.value ? "Your wallet is on another chain" : stage === "failed" ? "Try again" : "Deposit"}
          </button>
        </form>
      ) : (
        <>
          <Steps
            steps={[
              {
                text:
                  held && amount && held.allowance >= amount
                    ? "Already allowed to the Vault"
                    : "Allow the Vault to take the USDC",
                state: state(0),
              },
              { text: `Deposit ${usd(amount ?? 0n)}`, state: state(1) },
              { text: "Credited to your account", state: state(2) },
            ]}
          />
          <p class="muted">
            {stage === "done"
              ? "Your account can trade."
              : unknown.value || busy
                ? "Confirm in your wallet when it asks. This page may stay open meanwhile."
                : ""}
          </p>
          {stage === "done" && (
            <button type="button" class="button primary large" autofocus onClick={closeDialog}>
              Start trading
            </button>
          )}
        </>
      )}
    </Modal>
  );
}
