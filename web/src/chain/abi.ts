// SPDX-License-Identifier: AGPL-3.0-only
/** The few functions of the contracts that a person calls from here. */

import { parseAbi } from "viem/utils";

export const ABI = parseAbi([
  "struct Withdrawal { address account; uint256 subaccount; uint256 amount; address to; uint256 nonce; uint256 deadline; }",
  "function balanceOf(address owner) view returns (uint256)",
  "function allowance(address owner, address spender) view returns (uint256)",
  "function approve(address spender, uint256 amount) returns (bool)",
  "function deposit(address owner, uint256 subaccount, uint256 amount)",
  "function request_withdrawal(uint256 subaccount, uint256 amount, address to) returns (uint256)",
  "function execute_withdrawal(uint256 id)",
  "function cancel_withdrawal(uint256 id)",
  "function withdraw_signed(Withdrawal withdrawal, bytes owner_signature, bytes cosigner_signature)",
  "function outflow_room_of(address account) view returns (uint256, uint256)",
  "function fee_tiers() view returns (uint256[])",
  "function register_session_key(address account, address key, uint256[] ids, uint256 budget, uint256 expiry, uint256 nonce, bytes signature)",
  "function revoke_session_key(address account, address key)",
]);
