// Asks the browser to keep the app for offline use; without it the app works all the same.
// A file of its own, because the Content-Security-Policy allows no inline script.

if ("serviceWorker" in navigator) {
  // After the first picture: filling the cache must not compete with starting.
  addEventListener("load", () => {
    navigator.serviceWorker.register("/sw.js").catch(() => {
      // Private windows refuse; there is nothing to tell the user, who asked for nothing.
    });
  });
}
