// On a phone the filters of a list lie behind a button, and open as a sheet over the page. On a desktop the button
// is not shown, and they are always there.
document.querySelectorAll("[data-filter-sheet]").forEach((button) => {
  const form = button.closest("form");

  function show(isOpen) {
    form.classList.toggle("is-open", isOpen);
    button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) form.querySelector(".ca-filters-fields :is(input, select, summary)")?.focus();
    else button.focus();
  }

  button.addEventListener("click", () => show(!form.classList.contains("is-open")));
  document.addEventListener("click", (event) => {
    if (form.classList.contains("is-open") && !form.contains(event.target)) show(false);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && form.classList.contains("is-open")) show(false);
  });
  form.addEventListener("submit", () => {
    if (form.classList.contains("is-open")) show(false);
  });
  // What the sheet hides cannot be reached: leaving it closes it.
  form.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !form.contains(event.relatedTarget)) {
      form.classList.remove("is-open");
      button.setAttribute("aria-expanded", "false");
    }
  });
});
