// Every page of the admin: a form that was refused leads to the first field to correct, and none is sent twice.
(() => {
  "use strict";

  function leadToMistake() {
    if (document.activeElement !== document.body) return;
    document.querySelector('[aria-invalid="true"]:not([type="hidden"])')?.focus();
  }

  document.addEventListener("DOMContentLoaded", leadToMistake);
  // A fragment in the address leads the focus away again while the page loads.
  window.addEventListener("load", leadToMistake);

  // A form that is being sent is not sent a second time by an impatient click.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
  });
})();
