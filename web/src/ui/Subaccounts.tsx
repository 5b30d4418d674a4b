// SPDX-License-Identifier: AGPL-3.0-only
import { usd } from "../money/format";
import { usdc } from "../money/market";
import { standing, subaccount } from "../state/account";
import { choose, nameOf, nextNumber, number, numbers, subaccountOf, subaccounts } from "../state/subaccounts";
import { dialog } from "../state/view";
import { Icon } from "./Icon";

const worthOf = (one: number): string => {
  if (one === number.value && subaccount.value) return usd(standing.value.equity);
  const known = subaccountOf(one);
  return known ? usd(usdc(known.equity)) : "–";
};

/** The list to choose from, as it stands in menus. */
export function SubaccountList({ done }: { done: () => void }) {
  const several = (subaccounts.value ?? []).length > 0;
  return (
    <>
      <div role="radiogroup" aria-label="Subaccount">
        {numbers.value.map((one) => (
          <button
            type="button"
            key={one}
            role="radio"
            class="item between"
            aria-checked={one === number.value}
            onClick={() => {
              choose(one);
              done();
            }}
          >
            <span class="row">
              <span class={`tick ${one === number.value ? "on" : ""}`}>
                <Icon name="check" size={12} />
              </span>
              {nameOf(one)}
            </span>
            <span class="num muted">{worthOf(one)}</span>
          </button>
        ))}
      </div>
      {several && (
        <>
          <button
            type="button"
            class="item"
            onClick={() => {
              done();
              dialog.value = { kind: "transfer" };
            }}
          >
            <Icon name="swap" /> Transfer between subaccounts
          </button>
          <button
            type="button"
            class="item"
            onClick={() => {
              done();
              dialog.value = { kind: "deposit", into: nextNumber.value };
            }}
          >
            <Icon name="download" /> Fund a new subaccount
          </button>
        </>
      )}
    </>
  );
}
