// SPDX-License-Identifier: AGPL-3.0-only
/** What was tried against the app, where no browser is needed; the rest is in tests/browser/test_attacks.py. */

import { describe, expect, it } from "vitest";
import { objection } from "../src/api/objection";
import type { Config } from "../src/api/types";
import { parse } from "../src/money/decimal";
import { TYPES } from "../src/sign/types";
import { DEFAULTS, restored, sound } from "../src/state/preferences";
import { csv } from "../src/ui/csv";
import { announced, announcedBy, doubtful } from "../src/wallet/discovery";
import { BTC_RECORD } from "./markets";

const EXCHANGE = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const VAULT = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512";
const FOREIGN = "0x000000000000000000000000000000000000dEaD";

function announcedConfig(): Config {
  const domain = { name: "Ouro", version: "1", chainId: 31_337 };
  return {
    name: "local",
    chainId: 31_337,
    testNetwork: true,
    settleWindow: 60,
    withdrawalDelay: 60,
    contracts: { usdc: FOREIGN, exchange: EXCHANGE, vault: VAULT, oracle: FOREIGN },
    markets: [structuredClone(BTC_RECORD)],
    domain: { ...domain, verifyingContract: EXCHANGE },
    vaultDomain: { ...domain, verifyingContract: VAULT },
    types: structuredClone(TYPES) as unknown as Config["types"],
  };
}

describe("a poisoned configuration", () => {
  it("an honest one passes, with other messages than ours in it, too", () => {
    const config = announcedConfig();
    expect(objection(config)).toBeNull();
    config.types.CancelAllAfter = [{ name: "account", type: "address" }];
    config.domain.verifyingContract = EXCHANGE.toLowerCase() as `0x${string}`;
    expect(objection(config)).toBeNull();
  });

  const poisons: [string, (config: Config) => void][] = [
    ["another chain in the domain", (config) => (config.domain.chainId = 1)],
    ["another contract in the domain", (config) => (config.domain.verifyingContract = FOREIGN)],
    ["another vault in the domain", (config) => (config.vaultDomain.verifyingContract = FOREIGN)],
    ["the vault's domain for orders", (config) => (config.domain = config.vaultDomain)],
    ["another name", (config) => (config.domain.name = "USD Coin")],
    ["another version", (config) => (config.domain.version = "2")],
    ["a salt", (config) => Object.assign(config.domain, { salt: `0x${"11".repeat(32)}` })],
    ["no domain", (config) => Object.assign(config, { domain: undefined })],
    ["another type of order", (config) => config.types.Order!.splice(3, 1)],
    ["renamed fields", (config) => (config.types.Withdrawal![3]!.name = "account")],
    ["no address", (config) => Object.assign(config.contracts, { vault: "javascript:alert(1)" })],
    ["no chain", (config) => (config.chainId = 0)],
    ["lots a hundred times as large", (config) => (config.markets[0]!.sizeDecimals = 2)],
    ["a tick of nothing", (config) => (config.markets[0]!.tick = 0)],
    ["two markets of one id", (config) => config.markets.push({ ...config.markets[0]!, ticker: "ETH-USD" })],
  ];
  it.each(poisons)("is refused: %s", (_name, poison) => {
    const config = announcedConfig();
    poison(config);
    expect(objection(config)).toMatch(/Nothing is signed/);
  });
});

describe("amounts that read otherwise than they were meant", () => {
  it.each([
    "0,5",
    "1,5",
    "0,500",
    "1,23,456",
    "1,2345",
    "1 5",
    "1,234 567",
    "١٢",
    "１２",
    "1e3",
    "0x10",
    "+1",
    "-1",
    "1_000",
    "Infinity",
  ])("are no amounts: %s", (text) => expect(parse(text, 6)).toBeNull());
  it("thousands are", () => {
    expect(parse("1,234,567.5", 1)).toBe(12_345_675n);
    expect(parse(" 1 234 ", 0)).toBe(1_234n);
    expect(parse("9".repeat(40), 0)).toBe(BigInt("9".repeat(40)));
  });
});

describe("a storage that somebody else wrote to", () => {
  it.each([
    "null",
    "[]",
    "7",
    '"x"',
    "{",
    '{"slippagePpm":"x"}',
    '{"slippagePpm":-1}',
    '{"slippagePpm":1e9}',
    '{"slippagePpm":0.5}',
    '{"muted":null,"leverage":-3}',
    '{"__proto__":{"slippagePpm":1}}',
  ])("leaves what is safe: %s", (saved) => expect(sound(restored(DEFAULTS, saved))).toEqual(DEFAULTS));
  it("and what was chosen stays", () => {
    const chosen = { ...DEFAULTS, slippagePpm: 500, oneClick: true, muted: ["fill" as const] };
    expect(sound(restored(DEFAULTS, JSON.stringify(chosen)))).toEqual(chosen);
    expect(restored([] as string[], '{"length":3}')).toEqual([]);
    expect(restored({} as Record<string, string[]>, '{"orders":["x"]}')).toEqual({ orders: ["x"] });
  });
});

describe("wallets that announce what they are not", () => {
  const provider = { request: async () => null };
  const info = { uuid: "1", name: "Fox", icon: "data:image/png,x", rdns: "io.fox" };

  it.each([
    null,
    7,
    {},
    { info },
    { provider },
    { info: { ...info, name: 3 }, provider },
    { info, provider: { request: 1 } },
  ])("an announcement that is none is left out: %j", (detail) => expect(announcedBy(detail)).toBeNull());
  it("names are short and have no invisible letters; icons are data", () => {
    const name = `\u202eevil\u200b\n${"x".repeat(100)}`;
    const wallet = announcedBy({ info: { ...info, name, icon: "https://tracker.example/x.png" }, provider })!;
    expect(wallet.name).toBe(`evil${"x".repeat(36)}`);
    expect(wallet.icon).toBeUndefined();
    expect(announcedBy({ info: { ...info, name: "\u200b" }, provider })!.name).toBe("A wallet without a name");
  });
  it("one that takes another's name stands beside it, and both are doubted", () => {
    const [real, fake, other] = [
      announcedBy({ info, provider })!,
      announcedBy({ info: { ...info, uuid: "2" }, provider })!,
      announcedBy({ info: { uuid: "3", name: "Bear", icon: "", rdns: "io.bear" }, provider })!,
    ];
    announced.value = [real, fake, other];
    expect(announced.value.map(doubtful)).toEqual([true, true, false]);
  });
});

describe("a file for a spreadsheet", () => {
  it.each(["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"])("holds no formula: %j", (text) => {
    const [, line] = csv([{ text }], [{ key: "a", label: "a", value: (row) => row.text, cell: () => null }]).split(
      /\r\n(?=['"])/,
    );
    expect(line!.replace(/^"/, "")).toMatch(/^'/);
  });
  it("and keeps negative numbers", () => {
    const rows = csv([{ text: "-1.5" }], [{ key: "a", label: "a", value: (row) => row.text, cell: () => null }]);
    expect(rows).toBe("a\r\n-1.5\r\n");
  });
});
