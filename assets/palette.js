// The palette: a dialog with a field and what was found, as a combobox with a listbox. The browser traps the focus
// in an open dialog, closes it with Escape and gives the focus back.
const dialog = document.getElementById("palette");
const field = document.getElementById("palette-text");
const results = document.getElementById("palette-results");

function options() {
  return [...results.querySelectorAll("[role=option]")];
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

function step(by) {
  const all = options();
  if (!all.length) return;
  const chosen = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
  choose(all[(chosen + by + all.length) % all.length]);
}

function open() {
  if (dialog.open) return;
  dialog.showModal();
  field.select();
  field.dispatchEvent(new Event("palette-open"));
}

if (dialog && field && results) {
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (dialog.open) dialog.close();
    else open();
  });
  document.querySelectorAll("[data-palette]").forEach((button) => button.addEventListener("click", (event) => {
    event.preventDefault();
    open();
  }));
  dialog.querySelector("[data-palette-close]").addEventListener("click", () => dialog.close());
  // A click beside the dialog is one on its backdrop.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });

  field.addEventListener("keydown", (event) => {
    // Keys belong to an input method while it is open, as for Chinese.
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      step(event.key === "ArrowDown" ? 1 : -1);
    }
  });
  field.form.addEventListener("submit", (event) => {
    const chosen = results.querySelector("[aria-selected=true]");
    // Sent before the answer is there, the form asks for a page of its own.
    if (!chosen || results.dataset.text !== field.value.trim()) return;
    event.preventDefault();
    chosen.click();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    // Logged out meanwhile: the answer is a page of its own.
    if (event.detail.target === results && event.detail.serverResponse.includes("<html")) {
      event.detail.shouldSwap = false;
      window.location.reload();
    }
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== results) return;
    results.dataset.text = new URL(event.detail.xhr.responseURL).searchParams.get("q")?.trim() ?? "";
    const all = options();
    choose(all[0]);
    const announcer = document.getElementById("palette-announcer");
    announcer.textContent = results.dataset.found.replace("{count}", all.length);
  });
}
