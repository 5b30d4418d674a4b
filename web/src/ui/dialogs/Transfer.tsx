// SPDX-License-Identifier: AGPL-3.0-only
import { useEffect, useState } from "preact/hooks";
import { min, parse } from "../../money/decimal";
import { usd } from "../../money/format";
import { usdc } from "../../money/market";
import { refresh } from "../../state/account";
import { approve, deposit, funds, room, withdrawNow } from "../../state/funds";
import { notify } from "../../state/notices";
import { nameOf, nextNumber, number, numbers, subaccountOf, subaccounts } from "../../state/subaccounts";
import { address } from "../../state/wallet";
import { MoneyAmount } from "../Amounts";
import { Facts } from "../bits";
import { Select } from "../Field";
import { closeDialog, Modal } from "../Modal";
import { type StepState, Steps } from "../Steps";
import { Connect } from "./Connect";

type Stage = "sign" | "cosign" | "send" | "approve" | "deposit" | "done";

const STEPS: readonly [Stage, string][] = [
  ["sign", "Sign that it leaves"],
  ["cosign", "The operator co-signs"],
  ["send", "Out of the Vault, into your wallet"],
  ["approve", "Allow the Vault to take it"],
  ["deposit", "Into the other subaccount"],
];

/** From one subaccount to another. The Vault knows no shorter way than out and in again. */
export function Transfer() {
  const [source, setSource] = useState(number.peek());
  const [target, setTarget] = useState(() => numbers.peek().find((one) => one !== number.peek()) ?? nextNumber.peek());
  const [text, setText] = useState("");
  const [limit, setLimit] = useState<bigint | null>(null);
  const [stage, setStage] = useState<Stage | null>(null);
  const [problem, setProblem] = useState("");
  const [outside, setOutside] = useState(false);
  useEffect(() => {
    room().then(
      ({ instant }) => setLimit(instant),
      () => {},
    );
  }, []);
  if (!address.value) return <Connect />;

  const held = subaccountOf(source);
  const free = usdc(held?.withdrawable);
  const most = limit === null ? free : min(free, limit);
  const amount = parse(text, 6);
  const wrong = !text
    ? null
    : amount === null || amount === 0n
      ? "That is not an amount."
      : amount > free
        ? "More than positions there leave free."
        : limit !== null && amount > limit
          ? "More than may leave the Vault at once now."
          : null;
  const funded = (subaccounts.value ?? []).map((one) => one.subaccountNumber);
  const targets = [...funded, nextNumber.value].filter((one) => one !== source);
  const option = (one: number) => {
    const known = subaccountOf(one);
    return [String(one), known ? `${nameOf(one)} · ${usd(usdc(known.equity))}` : `${nameOf(one)} (new)`] as const;
  };

  /** `out`: the money is in the wallet already. */
  async function run(out: boolean) {
    const owner = address.value;
    if (!amount || !owner || (!out && wrong)) return;
    setProblem("");
    try {
      if (!out) await withdrawNow(owner, amount, setStage, source);
      out = true;
      setStage("approve");
      if ((await funds()).allowance < amount) await approve(owner, amount);
      setStage("deposit");
      await deposit(owner, amount, target, true);
      setStage("done");
      notify("transfer", "good", "Transferred", `${usd(amount)} from ${nameOf(source)} to ${nameOf(target)}`);
      refresh();
    } catch (error) {
      setStage(null);
      setOutside(out);
      setProblem((error as Error).message);
      refresh();
    }
  }

  const reached = STEPS.findIndex(([name]) => name === stage);
  const state = (at: number): StepState =>
    stage === "done" || at < reached ? "done" : at === reached ? "now" : "todo";
  return (
    <Modal title="Transfer between subaccounts">
      {stage ? (
        <>
          <Steps steps={STEPS.map(([, name], at) => ({ text: name, state: state(at) }))} />
          {stage === "done" ? (
            <button type="button" class="button primary large" autofocus onClick={closeDialog}>
              Done
            </button>
          ) : (
            <p class="muted">Confirm in your wallet when it asks.</p>
          )}
        </>
      ) : (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            void run(outside);
          }}
        >
          <p class="muted">
            The money goes through your wallet: out of the Vault with the operator's co-signature, and in again. Should
            the second part not happen, it stays in your wallet.
          </p>
          <div class="pair">
            <Select
              label="From"
              value={String(source)}
              options={funded.map(option)}
              onValue={(value) => {
                const one = Number(value);
                setSource(one);
                if (one === target) setTarget(source);
              }}
            />
            <Select
              label="To"
              value={String(target)}
              options={targets.map(option)}
              onValue={(value) => setTarget(Number(value))}
            />
          </div>
          <MoneyAmount most={most} value={text} onValue={setText} problem={wrong} />
          <Facts
            rows={[
              ["Free to move", usd(free), "Cash that open positions there do not need"],
              ["May leave the Vault now", limit === null ? "–" : usd(limit), "The Vault's caps per hour and day"],
            ]}
          />
          {problem && (
            <p class="note bad" role="alert">
              {outside && "The money is in your wallet. "}
              {problem}
            </p>
          )}
          <button type="submit" class="button primary large" disabled={!amount || (!outside && Boolean(wrong))}>
            {outside ? "Deposit it now" : "Transfer"}
          </button>
        </form>
      )}
    </Modal>
  );
}
