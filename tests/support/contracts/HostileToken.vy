# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title A token that misbehaves on demand
@license GNU Affero General Public License v3.0 only
@notice Takes a fee of who receives or a tax of who sends, answers false or nothing, refuses a recipient, or calls back while it
        moves. What it does not know it takes for granted, `permit` too.
"""

fee_bps: public(uint256)
tax_bps: public(uint256)
answer: public(uint256)  # 0 true, 1 false, 2 nothing
refused: public(HashMap[address, bool])
hook: public(address)
hook_data: Bytes[2048]
hook_answers: public(DynArray[bool, 8])
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@external
def set_fee(bps: uint256):
    self.fee_bps = bps


@external
def set_tax(bps: uint256):
    self.tax_bps = bps


@external
def set_answer(answer: uint256):
    self.answer = answer


@external
def refuse(account: address):
    self.refused[account] = True


@external
def set_hook(target: address, data: Bytes[2048]):
    self.hook = target
    self.hook_data = data


@external
def rebase(account: address, balance: uint256):
    self.balanceOf[account] = balance


@external
def mint(to: address, amount: uint256):
    self.balanceOf[to] += amount


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
@raw_return
def transfer(to: address, amount: uint256) -> Bytes[32]:
    return self._move(msg.sender, to, amount)


@external
@raw_return
def transferFrom(owner: address, to: address, amount: uint256) -> Bytes[32]:
    self.allowance[owner][msg.sender] -= amount
    return self._move(owner, to, amount)


@internal
def _move(owner: address, to: address, amount: uint256) -> Bytes[32]:
    assert not self.refused[to], "recipient refused"
    if self.hook != empty(address):
        success: bool = False
        answer: Bytes[256] = b""
        success, answer = raw_call(self.hook, self.hook_data, max_outsize=256, revert_on_failure=False)
        self.hook_answers.append(success)
    if self.answer == 0:
        self.balanceOf[owner] -= amount + amount * self.tax_bps // 10_000
        self.balanceOf[to] += amount - amount * self.fee_bps // 10_000
        return abi_encode(True)
    if self.answer == 1:
        return abi_encode(False)
    self.balanceOf[owner] -= amount
    self.balanceOf[to] += amount
    return b""


@external
def __default__():
    pass
