// SPDX-License-Identifier: AGPL-3.0-only
// The same contracts from the same block to the same block; what the bench asks for comes as environment variables.
import { readFileSync } from "node:fs";
import { createConfig } from "ponder";

const bench = JSON.parse(readFileSync(process.env.BENCH_FILE!, "utf8"));
const contract = (name: string) => ({
  abi: bench.abis[name],
  address: bench.addresses[name],
  chain: "anvil",
  startBlock: bench.startBlock,
  endBlock: bench.endBlock,
});

export default createConfig({
  database: { kind: "postgres", connectionString: bench.database },
  chains: { anvil: { id: 31337, rpc: bench.rpc, disableCache: true } },
  contracts: { Exchange: contract("Exchange"), Vault: contract("Vault"), Oracle: contract("Oracle") },
});
