// Small behaviours of every page. Each is an addition: without scripts the page still works.
(() => {
  "use strict";

  const texts = document.getElementById("script-texts")?.dataset ?? {};
  // Tabler carries Bootstrap's components under its own name.
  const { Toast, Tooltip } = window.tabler ?? {};
  document.documentElement.classList.remove("no-js");

  function showToast(text) {
    const template = document.getElementById("toast-template");
    const toasts = document.getElementById("toasts");
    if (!template || !toasts || !Toast) return;
    const toast = template.content.firstElementChild.cloneNode(true);
    toast.querySelector("[data-toast-text]").textContent = text;
    toasts.append(toast);
    toast.addEventListener("hidden.bs.toast", () => toast.remove());
    Toast.getOrCreateInstance(toast, { delay: 8000 }).show();
  }

  function setUpTooltips(root) {
    if (!Tooltip) return;
    root.querySelectorAll('[data-bs-toggle="tooltip"]').forEach((element) => {
      Tooltip.getOrCreateInstance(element);
    });
  }

  function setUpPasswords(root) {
    root.querySelectorAll('input[type="password"]').forEach((input) => {
      if (input.closest(".ca-password")) return;
      const wrapper = document.createElement("div");
      // The wrapper stands in for the field: error texts show beside what is-invalid.
      wrapper.className = input.classList.contains("is-invalid") ? "ca-password is-invalid" : "ca-password";
      const button = document.createElement("button");
      button.type = "button";
      button.className = "ca-password-toggle";
      button.setAttribute("aria-label", texts.showPassword ?? "");
      button.innerHTML = '<i class="ti ti-eye" aria-hidden="true"></i>';
      input.before(wrapper);
      wrapper.append(input, button);
      button.addEventListener("click", () => {
        const shown = input.type === "text";
        input.type = shown ? "password" : "text";
        button.setAttribute("aria-label", (shown ? texts.showPassword : texts.hidePassword) ?? "");
        button.firstElementChild.className = shown ? "ti ti-eye" : "ti ti-eye-off";
      });
    });
  }

  function readableSize(bytes) {
    const units = ["B", "kB", "MB", "GB"];
    let index = 0;
    let value = bytes;
    while (value >= 1024 && index < units.length - 1) {
      value /= 1024;
      index += 1;
    }
    return `${value.toFixed(index === 0 ? 0 : 1)} ${units[index]}`;
  }

  function setUpDropzone(zone) {
    const input = zone.querySelector('input[type="file"]');
    const surface = zone.querySelector(".ca-drop-zone");
    const chosen = zone.querySelector("[data-chosen]");
    const limit = Number(zone.dataset.maxBytes ?? 0);
    if (!input || !surface || !chosen) return;

    function describe() {
      const files = [...input.files];
      const tooLarge = limit > 0 && files.some((file) => file.size > limit);
      chosen.textContent = files.map((file) => `${file.name} (${readableSize(file.size)})`).join(", ");
      chosen.toggleAttribute("data-bad", tooLarge);
      if (tooLarge) chosen.textContent += ` · ${texts.tooLarge}`;
      input.setCustomValidity(tooLarge ? texts.tooLarge : "");
    }

    input.addEventListener("change", describe);
    ["dragenter", "dragover"].forEach((name) => surface.addEventListener(name, (event) => {
      event.preventDefault();
      surface.classList.add("over");
    }));
    ["dragleave", "drop"].forEach((name) => surface.addEventListener(name, () => surface.classList.remove("over")));
    surface.addEventListener("drop", (event) => {
      event.preventDefault();
      if (!event.dataTransfer?.files.length) return;
      input.files = event.dataTransfer.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }

  function setUp(root) {
    setUpTooltips(root);
    setUpPasswords(root);
    root.querySelectorAll("[data-dropzone]").forEach(setUpDropzone);
  }

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy && navigator.clipboard) {
      await navigator.clipboard.writeText(copy.dataset.copy);
      showToast(texts.copied);
    }
    if (event.target.closest("[data-print]")) window.print();
  });

  // A list of choices that was opened closes as a menu does.
  function closeChoices(except) {
    document.querySelectorAll("details.ca-choices[open]").forEach((choices) => {
      if (!choices.contains(except)) choices.open = false;
    });
  }
  document.addEventListener("click", (event) => closeChoices(event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeChoices(null);
  });

  // A form that is being sent is not sent a second time by an impatient click.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    form.querySelectorAll("button:not([type=button])").forEach((button) => button.classList.add("btn-loading"));
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach((form) => {
      delete form.dataset.sent;
      form.querySelectorAll(".btn-loading").forEach((button) => button.classList.remove("btn-loading"));
    });
  });

  // A question that cannot be read is answered by the page, with what is wrong beside each field.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    if (xhr.status !== 422 || requestConfig.verb !== "get") return;
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  });
  // Going back to such an answer: htmx takes no errors out of the history, the browser does.
  document.addEventListener("htmx:historyCacheMissLoadError", () => window.location.reload());

  document.addEventListener("htmx:load", (event) => setUp(event.detail.elt));
  document.addEventListener("htmx:sendError", () => showToast(texts.networkError));
  document.addEventListener("htmx:responseError", () => showToast(texts.serverError));

  setUp(document);
  document.querySelector("[data-focus]")?.focus();
})();
