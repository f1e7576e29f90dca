// Parts of a page that ask for themselves again: <div id="..." data-refresh hx-get="..." hx-trigger="every 60s">.
(() => {
  "use strict";

  // Replacing what somebody is using would take the focus, or the hint they are reading, away.
  function inUse(element) {
    return document.hidden || element.contains(document.activeElement) || element.querySelector("[aria-describedby^=tooltip]");
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    const element = event.detail.elt;
    if (element.hasAttribute("data-refresh") && inUse(element)) event.preventDefault();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const element = event.detail.target;
    if (!element.hasAttribute("data-refresh")) return;
    const fresh = event.detail.serverResponse;
    // Logged out meanwhile: the answer is another page, which belongs into the whole window.
    if (event.detail.xhr.status === 200 && !fresh.includes(`id="${element.id}"`)) {
      event.detail.shouldSwap = false;
      window.location.reload();
    } else if (inUse(element)) {
      event.detail.shouldSwap = false;
    }
  });
})();
