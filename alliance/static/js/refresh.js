// Parts of a page that ask for themselves again, and say how old they are (components/live.html):
// <div id="..." data-refresh hx-get="..." hx-trigger="every 60s, refresh">.
(() => {
  "use strict";

  const MINUTE = 60_000;
  const LONGEST_WAIT = 8 * MINUTE;
  const ago = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" });
  let updatedAt = Date.now();
  let failures = 0;
  let quietUntil = 0;

  function tellAge() {
    const minutes = Math.floor((Date.now() - updatedAt) / MINUTE);
    document.querySelectorAll("[data-live]").forEach((element) => {
      const { now, since, trouble } = element.dataset;
      const age = minutes < 60 ? ago.format(-minutes, "minute") : ago.format(-Math.floor(minutes / 60), "hour");
      const text = minutes ? since.replace("{age}", age) : now;
      element.textContent = failures ? `${text} ${trouble}` : text;
      element.toggleAttribute("data-failing", failures > 0);
    });
  }

  // Replacing what somebody is using would take the focus, or the hint they are reading, away.
  function inUse(element) {
    return document.hidden || element.contains(document.activeElement) || element.querySelector("[aria-describedby^=tooltip]");
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    const element = event.detail.elt;
    if (element.hasAttribute("data-refresh") && (inUse(element) || Date.now() < quietUntil)) event.preventDefault();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const element = event.detail.target;
    if (!element.hasAttribute("data-refresh")) return;
    const fresh = event.detail.serverResponse;
    // Logged out meanwhile: the answer is another page, which belongs into the whole window.
    if (event.detail.xhr.status === 200 && !fresh.includes(`id="${element.id}"`)) {
      event.detail.shouldSwap = false;
      window.location.reload();
    } else if (event.detail.elt === element && inUse(element)) {
      event.detail.shouldSwap = false;
    }
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (!event.detail.target.hasAttribute("data-refresh")) return;
    updatedAt = Date.now();
    failures = 0;
    quietUntil = 0;
    tellAge();
  });

  // In an outage the pages that are open ask ever less often.
  function failed(event) {
    if (!event.detail.elt.hasAttribute("data-refresh")) return;
    failures += 1;
    quietUntil = Date.now() + Math.min(LONGEST_WAIT, MINUTE * 2 ** failures) - MINUTE / 2;
    tellAge();
  }
  document.addEventListener("htmx:sendError", failed);
  document.addEventListener("htmx:responseError", failed);

  document.addEventListener("visibilitychange", () => {
    tellAge();
    if (document.hidden || Date.now() - updatedAt < MINUTE) return;
    document.querySelectorAll("[data-refresh]").forEach((element) => window.htmx.trigger(element, "refresh"));
  });

  tellAge();
  window.setInterval(tellAge, MINUTE / 4);
})();
