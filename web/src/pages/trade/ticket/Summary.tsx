// SPDX-License-Identifier: AGPL-3.0-only
import { abs } from "../../../money/decimal";
import { finePrice, percent, price, size, times, usd } from "../../../money/format";
import { baseOf } from "../../../money/market";
import { liquidationIn, positionIn, standing } from "../../../state/account";
import { settings } from "../../../state/settings";
import { market } from "../../../state/venue";
import { address } from "../../../state/wallet";
import { Change, Facts } from "../../../ui/bits";
import { plan } from "./plan";
import { kind } from "./state";

/** What the order costs, and the position before and after it. */
export function Summary({ index }: { index: bigint }) {
  const m = market.value;
  const now = plan.value;
  if (!m || !now)
    return (
      <Facts
        rows={[
          ["Order value", "–"],
          ["Margin", "–"],
          ["Fee", "–"],
          ["Liquidation price", "–"],
        ]}
      />
    );
  const { preview } = now;
  const before = positionIn(m.ticker);
  const all = standing.value;
  const position = (lots: bigint) => (lots === 0n ? "None" : `${lots > 0n ? "Long" : "Short"} ${size(m, abs(lots))}`);
  const liquidationBefore = before ? liquidationIn(before) : null;
  const slippage = now.expected && index && kind.value === "MARKET" ? abs(now.expected - index) : null;
  return (
    <>
      {now.missing > 0n && (
        <p class="note warn">
          Within your slippage cap the book holds {size(m, now.lots - now.missing)} {baseOf(m.ticker)} only. The rest is
          cancelled.
        </p>
      )}
      <Facts
        rows={[
          ["Order value", preview ? usd(preview.notional) : "–"],
          ["Margin", preview ? usd(preview.margin) : "–", "What the account's initial margin grows by"],
          ["Fee", preview ? usd(preview.fee, 4) : "–", "Estimated; no fill pays more than the signed cap of 0.05%"],
          ...(kind.value === "MARKET"
            ? [
                [
                  "Expected price",
                  now.expected && preview ? price(m, now.expected) : "–",
                  slippage === null ? "" : "Average over the book as it stands",
                ] as const,
                [
                  "Worst price",
                  now.worst ? (
                    <>
                      {price(m, now.worst)}{" "}
                      <span class="faint">({percent(String(settings.value.slippagePpm / 1e6), 1)})</span>
                    </>
                  ) : (
                    "–"
                  ),
                  "Signed: nobody can fill you at a worse one",
                ] as const,
              ]
            : []),
          ...(address.value
            ? [
                [
                  "Position",
                  preview ? (
                    <Change before={position(before?.size ?? 0n)} after={position(preview.sizeAfter)} />
                  ) : (
                    position(before?.size ?? 0n)
                  ),
                ] as const,
                [
                  "Account leverage",
                  preview ? (
                    <Change
                      before={times(all.exposure, all.equity)}
                      after={times(preview.exposureAfter, preview.equityAfter)}
                    />
                  ) : (
                    times(all.exposure, all.equity)
                  ),
                ] as const,
              ]
            : []),
          [
            "Liquidation price",
            preview ? (
              <Change
                before={liquidationBefore ? finePrice(m, liquidationBefore) : "–"}
                after={<span class="warn">{preview.liquidation ? finePrice(m, preview.liquidation) : "None"}</span>}
              />
            ) : liquidationBefore ? (
              finePrice(m, liquidationBefore)
            ) : (
              "–"
            ),
            "Estimated index price at which the account meets its maintenance margin",
          ],
        ]}
      />
    </>
  );
}
