// Small behaviours of every page. Each is an addition: without scripts the page still works.
(() => {
  "use strict";

  const shown = document.getElementById("script-texts");
  const texts = shown?.dataset ?? {};
  const [eye, eyeOff] = shown?.content.querySelectorAll("svg") ?? [];
  // Tabler carries Bootstrap's components under its own name; pages without a log-in do without it.
  const { Tooltip } = window.tabler ?? {};

  const TOAST_MS = 8000;
  function showToast(text) {
    const template = document.getElementById("toast-template");
    const toasts = document.getElementById("toasts");
    if (!template || !toasts) return;
    const toast = template.content.firstElementChild.cloneNode(true);
    toast.querySelector("[data-toast-text]").textContent = text;
    toast.querySelector("[data-close-toast]").addEventListener("click", () => toast.remove());
    toast.classList.add("show");
    toasts.append(toast);
    window.setTimeout(() => toast.remove(), TOAST_MS);
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
      button.append(eye.cloneNode(true));
      input.before(wrapper);
      wrapper.append(input, button);
      button.addEventListener("click", () => {
        const wasReadable = input.type === "text";
        input.type = wasReadable ? "password" : "text";
        button.setAttribute("aria-label", (wasReadable ? texts.showPassword : texts.hidePassword) ?? "");
        button.replaceChildren((wasReadable ? eye : eyeOff).cloneNode(true));
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
      if (choices.contains(except)) return;
      const isInside = choices.contains(document.activeElement);
      choices.open = false;
      if (isInside) choices.querySelector("summary")?.focus();
    });
  }
  document.addEventListener("click", (event) => closeChoices(event.target));
  document.addEventListener("focusin", (event) => closeChoices(event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeChoices(null);
  });

  // Colours change at once: a reload would lose what was typed.
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-theme-form]");
    if (!form || !event.submitter) return;
    event.preventDefault();
    const answers = new FormData(form, event.submitter);
    document.documentElement.dataset.bsTheme = event.submitter.value;
    document.querySelectorAll("[data-theme-form] button").forEach((button) => {
      button.toggleAttribute("aria-current", false);
      if (button.value === event.submitter.value) button.setAttribute("aria-current", "true");
    });
    fetch(form.action, { method: "POST", body: answers, redirect: "manual" }).catch(() => showToast(texts.networkError));
  });

  // A form that is being sent is not sent a second time by an impatient click.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    const target = event.submitter?.formTarget || form.target;
    // After the page's own scripts, which may send it in another way.
    window.setTimeout(() => {
      if (event.defaultPrevented) return;
      form.dataset.sent = "yes";
      form.querySelectorAll("[data-sending]").forEach((note) => { note.hidden = false; });
      form.querySelectorAll("button:not([type=button])").forEach((button) => button.classList.add("btn-loading"));
      // The answer comes in another tab: this page stays, and its form is used again.
      if (target === "_blank") window.setTimeout(release, 2000, form);
    });
  });
  function release(form) {
    delete form.dataset.sent;
    form.querySelectorAll("[data-sending]").forEach((note) => { note.hidden = true; });
    form.querySelectorAll(".btn-loading").forEach((button) => button.classList.remove("btn-loading"));
  }
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(release));

  // A question that cannot be read is answered by the page, with what is wrong beside each field.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    if (xhr.status !== 422 || requestConfig.verb !== "get") return;
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  });
  // Going back to such an answer: htmx takes no errors out of the history, the browser does.
  document.addEventListener("htmx:historyCacheMissLoadError", () => window.location.reload());

  // Whether somebody filtered a list or turned its page.
  function isAskedFor(detail) {
    return Boolean(detail.requestConfig?.elt?.closest(".ca-filters, .ca-pager, .ca-sort, .ca-sort-menu"));
  }

  // Logged out meanwhile: the answer is another page, without the list, and belongs into the whole window.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { detail } = event;
    const isOther = detail.xhr.status === 200 && !detail.serverResponse.includes(`id="${detail.target.id}"`);
    if (!isOther || !isAskedFor(detail)) return;
    detail.shouldSwap = false;
    window.location.assign(detail.pathInfo.finalRequestPath);
  });

  function whatIsShown(list, status) {
    const wrong = [...document.querySelectorAll(".ca-filters .ca-field-error p")];
    if (status === 422 && wrong.length) return wrong.map((problem) => problem.textContent).join(" ");
    const rows = list.querySelectorAll("table tbody tr").length;
    if (rows) return (texts.listUpdated ?? "").replace("{rows}", rows);
    return list.querySelector(".ca-empty-title")?.textContent ?? texts.pageUpdated ?? "";
  }

  // What was swapped because somebody filtered or turned a page is said to those who don't see it. The link that
  // was followed is gone with the old list: the new one takes the focus.
  document.addEventListener("htmx:afterSwap", (event) => {
    const announcer = document.getElementById("announcer");
    const list = event.target;
    // Not for what came along with it, out of band.
    if (!announcer || list.id !== event.detail.target.id || !isAskedFor(event.detail)) return;
    announcer.textContent = whatIsShown(list, event.detail.xhr.status);
    if (document.activeElement === document.body) {
      list.tabIndex = -1;
      list.focus({ preventScroll: true });
    }
  });

  // What was swapped under somebody's hands keeps the focus.
  let swapped = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    swapped = event.detail.target.contains(document.activeElement) ? event.detail.target.id : null;
  });
  document.addEventListener("htmx:afterSettle", () => {
    const element = swapped && document.getElementById(swapped);
    swapped = null;
    if (!element || document.activeElement !== document.body) return;
    element.tabIndex = -1;
    element.focus({ preventScroll: true });
  });

  document.addEventListener("htmx:load", (event) => setUp(event.detail.elt));
  // What asks by itself, again and again, says on its place that it fails.
  function complain(event, text) {
    const element = event.detail.elt;
    if (element.id !== "demo-progress" && !element.hasAttribute("data-refresh")) showToast(text);
  }
  document.addEventListener("htmx:sendError", (event) => complain(event, texts.networkError));
  document.addEventListener("htmx:responseError", (event) => complain(event, texts.serverError));

  setUp(document);
  const wanted = document.querySelector("[data-focus]");
  wanted?.focus();
  // A fragment in the address leads the focus away again while the page loads.
  window.addEventListener("load", () => {
    if (document.activeElement === document.body) wanted?.focus();
  });
})();
