// Every page of the admin: a form that was refused leads to the first field to correct.
(() => {
  "use strict";

  function leadToMistake() {
    if (document.activeElement !== document.body) return;
    document.querySelector('[aria-invalid="true"]:not([type="hidden"])')?.focus();
  }

  document.addEventListener("DOMContentLoaded", leadToMistake);
  // A fragment in the address leads the focus away again while the page loads.
  window.addEventListener("load", leadToMistake);
})();
