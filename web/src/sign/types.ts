// SPDX-License-Identifier: AGPL-3.0-only
/** The messages that the app signs, frozen with the protocol (docs/protocol.md, section 3). */

import type { TypedField } from "../api/types";

const fields = (text: string): TypedField[] =>
  text.split(",").map((one) => ({ type: one.split(" ")[0]!, name: one.split(" ")[1]! }));

export const TYPES = {
  EIP712Domain: fields("string name,string version,uint256 chainId,address verifyingContract"),
  Order: fields(
    "string market,string side,uint48 size,uint48 limitPrice,string timeInForce,bool postOnly,bool reduceOnly," +
      "string trigger,uint48 triggerPrice,uint16 maxFeePpm,uint32 expiry,address account,uint16 subaccount," +
      "string selfTrade,uint16 slot,uint48 generation,uint16 revision,uint32 referrer",
  ),
  CancelOrder: fields("address account,uint16 subaccount,bytes32 orderId,uint64 nonce"),
  CancelAll: fields("address account,uint16 subaccount,string market,uint64 nonce"),
  SessionKey: fields("address account,address key,string[] markets,uint64 budget,uint32 expiry,uint64 nonce"),
  Withdrawal: fields("address account,uint16 subaccount,uint64 amount,address to,uint64 nonce,uint32 deadline"),
  ReadAccount: fields("address account,uint32 expiry"),
} as const;
