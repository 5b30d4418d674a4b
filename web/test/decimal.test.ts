// SPDX-License-Identifier: AGPL-3.0-only
import { describe, expect, it } from "vitest";
import { ceilDiv, fixed, floorDiv, parse, plain, units } from "../src/money/decimal";
import { compactUsd, grouped, percent, ratio, signedUsd, usd } from "../src/money/format";

describe("decimals", () => {
  it("reads the API's strings exactly and cuts finer digits off", () => {
    expect(units("22253.13", 2)).toBe(2_225_313n);
    expect(units("-0.000025", 8)).toBe(-2_500n);
    expect(units("1562.7232581707", 3)).toBe(1_562_723n);
    expect(units("9007199254740993", 6)).toBe(9_007_199_254_740_993_000_000n);
    expect(units(null, 6)).toBe(0n);
  });

  it("takes only what a person may type", () => {
    expect(parse("1,234.5", 2)).toBe(123_450n);
    expect(parse("0.10000", 2)).toBe(10n);
    expect(parse(".5", 1)).toBe(5n);
    for (const wrong of ["", ".", "-1", "1e3", "0.001", "1.2.3", "abc", "٣"]) expect(parse(wrong, 2)).toBeNull();
  });

  it("writes plain decimals that read back as the same", () => {
    for (const value of [0n, 1n, -1n, 10n, 123_456_789n, -100n]) {
      expect(units(plain(value, 4), 4)).toBe(value);
      expect(plain(value, 4)).not.toMatch(/e/i);
    }
    expect(plain(12_300n, 2)).toBe("123");
    expect(fixed(-5n, 2, 2)).toBe("-0.05");
  });

  it("divides towards minus and plus infinity", () => {
    expect(floorDiv(-7n, 2n)).toBe(-4n);
    expect(floorDiv(7n, 2n)).toBe(3n);
    expect(ceilDiv(-7n, 2n)).toBe(-3n);
    expect(ceilDiv(7n, 2n)).toBe(4n);
  });
});

describe("what is shown", () => {
  it("groups, signs and shortens", () => {
    expect(grouped("-1234567.5")).toBe("−1,234,567.5");
    expect(usd(-1_234_567_890n)).toBe("−$1,234.56");
    expect(usd(-1n)).toBe("$0.00");
    expect(signedUsd(5_000_000n)).toBe("+$5.00");
    expect(compactUsd(1_234_567_000_000n)).toBe("$1.23M");
    expect(percent("-0.0000125", 4, true)).toBe("−0.0012%");
    expect(ratio(1n, 3n, 2, true)).toBe("+33.33%");
    expect(ratio(1n, 0n)).toBe("–");
  });
});
