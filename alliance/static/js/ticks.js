// "All of this group": one box that ticks the others of its fieldset, and shows whether all or some are.
(() => {
  "use strict";

  function boxesOf(all) {
    return [...all.closest("fieldset").querySelectorAll("input[type=checkbox]")].filter((box) => box !== all);
  }

  function reflect(all) {
    const boxes = boxesOf(all);
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  }

  document.querySelectorAll("[data-ticks-all]").forEach((all) => {
    reflect(all);
    all.addEventListener("change", () => boxesOf(all).forEach((box) => { box.checked = all.checked; }));
    all.closest("fieldset").addEventListener("change", () => reflect(all));
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("[data-ticks-all]").forEach(reflect));
})();
