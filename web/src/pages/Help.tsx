// SPDX-License-Identifier: AGPL-3.0-only
export function Help() {
  return <div class="page"><h1>Help</h1></div>;
}
