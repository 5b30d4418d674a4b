// SPDX-License-Identifier: AGPL-3.0-only
import { describe, expect, it } from "vitest";
import type { Match, Order } from "../src/api/types";
import { bandLimit } from "../src/money/market";
import { guarding, statusOf, steps, summed } from "../src/orders/reading";
import { BTC } from "./markets";

const order = (id: string, rest: Partial<Order>): Order => ({ id, ticker: "BTC-USD", ...rest }) as Order;
const match = (id: string, size: string, price: string, taker = "0xAB"): Match =>
  ({ id, ticker: "BTC-USD", size, price, takerSide: "BUY", taker }) as Match;

describe("exits", () => {
  const stop = order("stop", { status: "UNTRIGGERED", reduceOnly: true, parent: "entry" });

  it("of an entry that still rests guard no position", () => {
    expect(guarding([order("entry", { status: "OPEN", reduceOnly: false, parent: "" }), stop])).toEqual([]);
  });

  it("guard it once the entry has ended, and when they never had one", () => {
    const other = order("other", { status: "UNTRIGGERED", reduceOnly: true, parent: "" });
    expect(guarding([stop, other])).toEqual([stop, other]);
  });

  it("are those that reduce and wait", () => {
    expect(guarding([order("open", { status: "UNTRIGGERED", reduceOnly: false, parent: "" })])).toEqual([]);
    expect(guarding([order("rests", { status: "OPEN", reduceOnly: true, parent: "" })])).toEqual([]);
  });
});

describe("a trailing stop", () => {
  const revision = (at: number, rest: Partial<Order> = {}): Order =>
    order(`r${at}`, {
      status: "UNTRIGGERED",
      generation: 7,
      slot: 3,
      revision: at,
      armPrice: at ? "22250" : null,
      ...rest,
    });

  it("stands for the steps behind it", () => {
    expect([...steps([revision(0), revision(1), revision(2)])]).toEqual(["r1", "r2"]);
  });

  it("is still shown when it has moved: the step that was carried out is the stop", () => {
    expect([...steps([revision(2), revision(1)])]).toEqual(["r2"]);
    expect([...steps([revision(20)])]).toEqual([]);
  });

  it("has nothing to do with orders of other slots", () => {
    expect([...steps([revision(0), revision(4, { slot: 9 })])]).toEqual([]);
  });
});

describe("matches that come together", () => {
  it("are one event at their average price", () => {
    expect(summed([match("1", "0.031", "22219"), match("2", "0.019", "22222")], "0xab")).toEqual([
      { bought: true, ticker: "BTC-USD", size: "0.05", price: "22220.14", averaged: true },
    ]);
  });

  it("keep their price when it is one, and their side", () => {
    expect(summed([match("1", "0.03", "22219"), match("2", "0.01", "22219", "0xcd")], "0xab")).toEqual([
      { bought: true, ticker: "BTC-USD", size: "0.03", price: "22219", averaged: false },
      { bought: false, ticker: "BTC-USD", size: "0.01", price: "22219", averaged: false },
    ]);
  });
});

it("statuses are told in the words of the page", () => {
  expect(["CANCELED", "UNTRIGGERED", "FILLED"].map((status) => statusOf(order("1", { status })))).toEqual([
    "cancelled",
    "waiting",
    "filled",
  ]);
});

it("the band ends on the tick, within what the exchange takes", () => {
  const index = 2_223_737n;
  const width = (index * BTC.bandPpm) / 1_000_000n;
  for (const buy of [true, false]) {
    const end = bandLimit(BTC, buy, index);
    const beyond = end + (buy ? BTC.tick : -BTC.tick);
    expect(end % BTC.tick).toBe(0n);
    expect(buy ? end <= index + width : end >= index - width).toBe(true);
    expect(buy ? beyond > index + width : beyond < index - width).toBe(true);
  }
});
