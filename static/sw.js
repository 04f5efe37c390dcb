// Keeps the app usable offline after the first visit.
// One cache per build, filled as a whole and checked against the hashes of precache.json, so that a page
// never runs with half of one build and half of the next. Nothing that a user opens passes through here:
// files come from the disc, not from the network.

const VERSION = "__ISOCENTER_VERSION__";
const PREFIX = "isocenter-";
const CACHE = PREFIX + VERSION;
const MANIFEST_OF_MODELS = "/api/models/manifest";

self.addEventListener("install", (event) => {
  event.waitUntil(fill());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(removeOld().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname === MANIFEST_OF_MODELS) {
    event.respondWith(networkFirst(request, url.pathname, true));
  } else if (url.pathname.startsWith("/api/")) {
    // What the API says is of this moment: no copy is kept.
    return;
  } else if (request.mode === "navigate") {
    // The app routes on the client, so every address is the same page. The copy stays the one of this
    // build: a newer page would ask for modules that this cache does not hold.
    event.respondWith(networkFirst(request, "/index.html", false));
  } else if (request.headers.has("range")) {
    // A part must not be kept in place of the whole.
    return;
  } else {
    event.respondWith(cacheFirst(event, url.pathname));
  }
});

// Fetches every file of the list. A file whose hash differs belongs to another build: the installation
// fails as a whole and the browser tries again at the next visit.
async function fill() {
  const answer = await fetch("/precache.json", { cache: "no-cache" });
  if (!answer.ok) throw new Error(`precache.json: ${answer.status}`);
  const { version, files } = await answer.json();
  if (version !== VERSION) throw new Error("precache.json is of another build");
  const cache = await caches.open(CACHE);
  await Promise.all(
    files.map(async ({ url, integrity }) => {
      const file = await fetch(url, { cache: "no-cache", integrity });
      if (!file.ok) throw new Error(`${url}: ${file.status}`);
      await cache.put(url, file);
    }),
  );
}

async function removeOld() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
}

async function networkFirst(request, key, keep) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    if (keep && answer.ok) await cache.put(key, answer.clone());
    // A server that is being rebuilt answers 503; the copy is better than that.
    if (answer.status < 500) return answer;
    return (await cache.match(key)) ?? answer;
  } catch (error) {
    const copy = await cache.match(key);
    if (copy) return copy;
    throw error;
  }
}

async function cacheFirst(event, path) {
  const cache = await caches.open(CACHE);
  const copy = await cache.match(path);
  if (copy) return copy;
  const answer = await fetch(event.request);
  // The samples are large: kept when somebody first opened them, not before.
  if (answer.status === 200 && path.startsWith("/samples/")) {
    event.waitUntil(cache.put(path, answer.clone()));
  }
  return answer;
}
