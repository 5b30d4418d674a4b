# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Rules of exit
@license GNU Affero General Public License v3.0 only
@notice What an owner asks of every withdrawal of all its subaccounts: a single destination, the consent of a second approver, or
        both. An owner without rules gets them at once. Any later change takes effect after a delay longer than the longest exit,
        also one that adds a rule: whoever stole the owner's key would otherwise hold the money to ransom by naming himself.
"""

# the longest withdrawal delay (7 days), the guardian's stretch (3 days), a close on request (7 hours), and some
CHANGE_DELAY: constant(uint256) = 11 * 86_400


event RulesSet:
    account: indexed(address)
    destination: address
    approver: address
    effective_at: uint256


struct Rules:
    destination: address  # where alone withdrawals may go; zero = anywhere
    approver: address  # who must consent to each; zero = nobody


rules: HashMap[address, Rules]
next_rules: HashMap[address, Rules]
next_rules_at: HashMap[address, uint256]  # when the next ones take effect; 0 = there are none


@internal
def _set(account: address, rules: Rules):
    """
    @dev Asked again for the rules that it has, an account takes back the change that it waits for.
    """
    assert rules.approver != account, "approver is the owner"
    present: Rules = self._of(account)
    effective_at: uint256 = block.timestamp
    has_none: bool = present.destination == empty(address) and present.approver == empty(address)
    if has_none or (present.destination == rules.destination and present.approver == rules.approver):
        self.rules[account] = rules
        self.next_rules[account] = empty(Rules)
        self.next_rules_at[account] = 0
    else:
        effective_at += CHANGE_DELAY
        self.rules[account] = present
        self.next_rules[account] = rules
        self.next_rules_at[account] = effective_at
    log RulesSet(
        account=account,
        destination=rules.destination,
        approver=rules.approver,
        effective_at=effective_at,
    )


@internal
@view
def _of(account: address) -> Rules:
    """
    @return The rules in force.
    """
    effective_at: uint256 = self.next_rules_at[account]
    if effective_at != 0 and block.timestamp >= effective_at:
        return self.next_rules[account]
    return self.rules[account]
