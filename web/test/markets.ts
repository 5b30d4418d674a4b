// SPDX-License-Identifier: AGPL-3.0-only
/** The market of the tests, as /v4/config tells of it and as the app has it. */

import { type MarketRecord, market } from "../src/money/market";

export const BTC_RECORD: MarketRecord = {
  id: 1,
  ticker: "BTC-USD",
  sizeDecimals: 4,
  priceDecimals: 2,
  tick: 100,
  imfPpm: 50_000,
  mmfPpm: 30_000,
  bandPpm: 100_000,
};

export const BTC = market(BTC_RECORD);
