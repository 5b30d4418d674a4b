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
    rolldownOptions: {
      output: {
        // Few files for the first screen; what signs and what talks to the chain stays apart until it is needed.
        codeSplitting: {
          groups: [
            { name: "preact", test: /node_modules\/(preact|@preact)\// },
            {
              name: "core",
              test: /src\/((money|api|stream)\/|orders\/(build|composed)|state\/(?!signer|funds|history)|wallet\/(types|discovery|store)|ui\/(bits|Icon|MarketIcon|Choice|Field|DataTable|csv|Modal|lazy|actions)\.)/,
            },
          ],
        },
      },
    },
  },
  server: {
    port: Number(process.env.WEB_PORT ?? 5173),
    strictPort: true,
    proxy: { "/v4": { target: exchange, ws: true }, "/health": exchange, "/ready": exchange },
  },
});
