// SPDX-License-Identifier: AGPL-3.0-only
export function Portfolio() {
  return <div class="page"><h1>Portfolio</h1></div>;
}
