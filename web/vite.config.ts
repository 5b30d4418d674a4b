// SPDX-License-Identifier: AGPL-3.0-only
import { defineConfig } from "vite";

/** The exchange that `npm run dev` talks to. */
const exchange = process.env.OURO_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  base: "/",
  build: {
    outDir: "../indexer/app",
    emptyOutDir: true,
    target: "es2022",
    // The content security policy lets nothing be loaded from data: but images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    chunkSizeWarningLimit: 600,
  },
  server: {
    port: Number(process.env.WEB_PORT ?? 5173),
    strictPort: true,
    proxy: { "/v4": { target: exchange, ws: true }, "/health": exchange, "/ready": exchange },
  },
});
