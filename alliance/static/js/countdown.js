// Counts down to a cut-off. Without scripts the time left when the page was made stays.
(() => {
  "use strict";

  const URGENT = 15 * 60;

  function words(seconds, names) {
    const days = Math.floor(seconds / 86400);
    const hours = Math.floor(seconds / 3600) % 24;
    const minutes = Math.floor(seconds / 60) % 60;
    if (days) return `${days} ${names.days} ${hours} ${names.hours}`;
    if (hours) return `${hours} ${names.hours} ${minutes} ${names.minutes}`;
    return `${minutes} ${names.minutes} ${seconds % 60} ${names.seconds}`;
  }

  function tick() {
    document.querySelectorAll("[data-countdown]").forEach((element) => {
      const left = Math.floor((Date.parse(element.dataset.countdown) - Date.now()) / 1000);
      const names = element.dataset;
      element.textContent = left > 0 ? names.left.replace("{}", words(left, names)) : names.passed;
      element.toggleAttribute("data-urgent", left < URGENT);
    });
  }

  tick();
  window.setInterval(tick, 1000);
})();
