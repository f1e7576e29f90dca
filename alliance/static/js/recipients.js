// Suggestions from the address book: a combobox with a listbox. An option is a button that sends the form, which
// comes back filled in.
(() => {
  "use strict";

  const field = document.getElementById("recipient-search");
  const list = document.getElementById("recipient-options");
  if (!field || !list) return;

  function options() {
    return [...list.querySelectorAll("[role=option]")];
  }

  function choose(option) {
    options().forEach((other) => other.setAttribute("aria-selected", String(other === option)));
    if (option) {
      field.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else {
      field.removeAttribute("aria-activedescendant");
    }
  }

  function show() {
    field.setAttribute("aria-expanded", String(options().length > 0));
    choose(null);
  }

  field.addEventListener("keydown", (event) => {
    // Keys belong to an input method while it is open, as for Chinese.
    if (event.isComposing) return;
    const all = options();
    const chosen = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && all.length) {
      event.preventDefault();
      const from = event.key === "ArrowDown" ? chosen + 1 : (chosen < 0 ? all.length : chosen) - 1;
      choose(all[(from + all.length) % all.length]);
    } else if (event.key === "Enter") {
      // What is typed here is no booking.
      event.preventDefault();
      if (chosen >= 0) all[chosen].click();
    } else if (event.key === "Escape") {
      list.replaceChildren();
      show();
    }
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === list) show();
  });
  show();
})();
