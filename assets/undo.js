// What was done at once and can be taken back says so in a corner of the window for ten seconds, longer while it is
// under the pointer or has the focus. Without scripts it stays at the top of the page.
const SHOWN_MS = 10000;

document.querySelectorAll("[data-undo]").forEach((message) => {
  let timer;
  const wait = () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => message.remove(), SHOWN_MS);
  };
  const hold = () => window.clearTimeout(timer);
  message.classList.add("is-toast");
  ["mouseenter", "focusin"].forEach((name) => message.addEventListener(name, hold));
  ["mouseleave", "focusout"].forEach((name) => message.addEventListener(name, wait));
  wait();
  const announcer = document.getElementById("announcer");
  // Live regions are read when they change, not as they come with the page.
  window.setTimeout(() => { announcer.textContent = message.textContent.trim().replace(/\s+/g, " "); }, 200);
});
