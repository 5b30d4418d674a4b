// SPDX-License-Identifier: AGPL-3.0-only
// Ponder wants one; nobody asks it.
import { Hono } from "hono";

export default new Hono();
