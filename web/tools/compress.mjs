// SPDX-License-Identifier: AGPL-3.0-only
// Puts a .br and a .gz beside each file of the build that gets smaller by it, and prints the sizes.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const build = process.argv[2] ?? fileURLToPath(new URL("../../indexer/app", import.meta.url));
const text = new Set([".html", ".js", ".css", ".json", ".webmanifest", ".svg", ".txt"]);

function brotli(plain) {
  return brotliCompressSync(plain, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
    },
  });
}

function gzip(plain) {
  const packed = gzipSync(plain, { level: 9 });
  // The header names the system that it was packed on; 255 is "unknown".
  packed[9] = 255;
  return packed;
}

const files = readdirSync(build, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && text.has(extname(entry.name)))
  .map((entry) => join(entry.parentPath, entry.name))
  .sort();
for (const path of files) {
  const plain = readFileSync(path);
  const sizes = [];
  for (const [suffix, pack] of [
    [".br", brotli],
    [".gz", gzip],
  ]) {
    const packed = pack(plain);
    if (packed.length < plain.length) {
      writeFileSync(path + suffix, packed);
      sizes.push(`${suffix} ${(packed.length / 1024).toFixed(1)} kB`);
    }
  }
  console.log(`${relative(build, path)} ${(plain.length / 1024).toFixed(1)} kB ${sizes.join(" ")}`);
}
