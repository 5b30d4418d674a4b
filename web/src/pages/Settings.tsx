// SPDX-License-Identifier: AGPL-3.0-only
export function Settings() {
  return <div class="page"><h1>Settings</h1></div>;
}
