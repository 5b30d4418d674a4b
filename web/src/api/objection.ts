// SPDX-License-Identifier: AGPL-3.0-only
/**
 * What is wrong with an announced configuration. It decides what signatures are good for, so a part that contradicts
 * another, or the protocol, makes all of it unusable.
 */

import { TYPES } from "../sign/types";
import type { Config, Domain } from "./types";

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
const NAMED = ["usdc", "exchange", "vault"] as const;

/** A sentence, or null when there is nothing to object to. */
export function objection(config: Config): string | null {
  const { chainId, contracts, domain, vaultDomain, types, markets } = config;
  if (!Number.isSafeInteger(chainId) || chainId <= 0) return told("names no chain");
  for (const name of NAMED) if (!ADDRESS.test(contracts?.[name])) return told(`names no ${name} contract`);
  const ours = (found: Domain | undefined, contract: string) =>
    found?.name === "Ouro" &&
    Object.keys(found).length === 4 &&
    found.version === "1" &&
    found.chainId === chainId &&
    String(found.verifyingContract).toLowerCase() === contract.toLowerCase();
  if (!ours(domain, contracts.exchange) || !ours(vaultDomain, contracts.vault)) {
    return told("asks for signatures that would be good elsewhere");
  }
  for (const [name, fields] of Object.entries(TYPES)) {
    if (types?.[name] && !equal(types[name], fields)) return told(`asks to sign another ${name} than the protocol's`);
  }
  const whole = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  const odd = markets.find(
    (one) =>
      !(whole(one.sizeDecimals) && whole(one.priceDecimals) && one.sizeDecimals + one.priceDecimals === 6) ||
      !(whole(one.tick) && one.tick > 0) ||
      !(whole(one.id) && one.id > 0),
  );
  const ids = new Set(markets.map((one) => one.id));
  const tickers = new Set(markets.map((one) => one.ticker));
  if (odd || ids.size < markets.length || tickers.size < markets.length) return told("has markets in unknown units");
  return null;
}

const told = (what: string): string => `This address announces an exchange that ${what}. Nothing is signed here.`;

const equal = (announced: Config["types"][string], fields: Config["types"][string]): boolean =>
  announced.length === fields.length &&
  fields.every((field, at) => announced[at]?.name === field.name && announced[at]?.type === field.type);
