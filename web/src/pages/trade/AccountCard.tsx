// SPDX-License-Identifier: AGPL-3.0-only
import { ratio, signedUsd, times, usd } from "../../money/format";
import { loading, standing, subaccount, unknown } from "../../state/account";
import { nameOf, number, numbers } from "../../state/subaccounts";
import { dialog } from "../../state/view";
import { address } from "../../state/wallet";
import { Facts, Skeleton, tone } from "../../ui/bits";

export function AccountCard() {
  if (!address.value) return null;
  const all = standing.value;
  const wait = loading.value ? <Skeleton width="64px" /> : null;
  const used = all.equity > 0n ? Number((all.maintenance * 1000n) / all.equity) / 10 : 0;
  return (
    <section class="account-card" aria-label="Account">
      <div class="row between">
        <h2>{numbers.value.length > 1 || number.value ? nameOf(number.value) : "Account"}</h2>
        <div class="row">
          <button type="button" class="button small" onClick={() => (dialog.value = { kind: "deposit" })}>
            Deposit
          </button>
          <button
            type="button"
            class="button small line"
            disabled={unknown.value}
            onClick={() => (dialog.value = { kind: "withdraw" })}
          >
            Withdraw
          </button>
        </div>
      </div>
      <Facts
        rows={[
          ["Equity", wait ?? usd(all.equity), "Cash and what open positions would make at the index price"],
          ["Unrealised PnL", wait ?? <span class={tone(all.unrealized)}>{signedUsd(all.unrealized)}</span>],
          ["Free collateral", wait ?? usd(all.free), "Equity less initial margin"],
          ["Leverage", wait ?? times(all.exposure, all.equity), "Value of all positions against equity"],
          [
            "Maintenance margin",
            wait ?? (
              <>
                {usd(all.maintenance)}{" "}
                <span class="faint">{subaccount.value ? ratio(all.maintenance, all.equity, 1) : ""}</span>
              </>
            ),
            "When equity falls to this, positions are taken over",
          ],
        ]}
      />
      <div
        class="meter"
        role="meter"
        aria-label="Maintenance margin against equity"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.min(100, used)}
      >
        <i
          class={used > 80 ? "bad" : used > 50 ? "warn" : ""}
          style={{ transform: `scaleX(${Math.min(1, Math.max(0, used / 100))})` }}
        />
      </div>
    </section>
  );
}
