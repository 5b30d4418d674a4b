// SPDX-License-Identifier: AGPL-3.0-only
export function Keys() {
  return <div class="page"><h1>Keys</h1></div>;
}
