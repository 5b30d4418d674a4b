// SPDX-License-Identifier: AGPL-3.0-only
// Keeps the shell of the app for a start without a network. Never touches data: prices must not come from a cache.
const CACHE = "ouro-shell-2";
// What the exchange answers is no page of the app, also where a browser opens it like one.
const NOT_PAGES = /^\/(v4|health|ready|metrics|docs|redoc|openapi\.json)(\/|$)/;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(["/", "/icon.svg"]))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name !== CACHE).map((name) => caches.delete(name));
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(old(names)))
      .then(() => self.clients.claim()),
  );
});

/** A page of another build needs other files: those of the last one go. */
async function newShell(cache, page) {
  const before = await cache.match("/");
  const [old, text] = [await before?.text(), await page.clone().text()];
  await cache.put("/", page);
  if (old === text) return;
  for (const kept of await cache.keys()) {
    if (new URL(kept.url).pathname.startsWith("/assets/")) await cache.delete(kept);
  }
}

async function fromNetwork(request) {
  const response = await fetch(request);
  const isPage = request.mode !== "navigate" || response.headers.get("Content-Type")?.startsWith("text/html");
  if (response.ok && !response.redirected && isPage) {
    const cache = await caches.open(CACHE);
    if (request.mode === "navigate") await newShell(cache, response.clone());
    else await cache.put(request, response.clone());
  }
  return response;
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin || NOT_PAGES.test(url.pathname)) return;
  if (request.mode === "navigate") {
    event.respondWith(fromNetwork(request).catch(() => caches.match("/")));
  } else if (url.pathname.startsWith("/assets/")) {
    // Named by their content, so what is kept is never out of date.
    event.respondWith(caches.match(request).then((kept) => kept ?? fromNetwork(request)));
  }
});
