// Many labels take seconds: ask for them in lines, show how many are drawn, then offer the file.
// A few open in a tab at once, as they do without this script.
(() => {
  const MANY = 20;

  async function linesOf(response, take) {
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      const lines = (rest + decoder.decode(value || new Uint8Array(), { stream: !done })).split("\n");
      rest = lines.pop();
      lines.forEach((line) => take(JSON.parse(line)));
      if (done) return;
    }
  }

  function offer(box, file) {
    const bytes = Uint8Array.from(atob(file.content), (letter) => letter.charCodeAt(0));
    const address = URL.createObjectURL(new Blob([bytes], { type: file.type }));
    const [open, save] = [box.querySelector("[data-labels-open]"), box.querySelector("[data-labels-save]")];
    open.href = save.href = address;
    save.download = file.name;
    box.querySelector("[data-labels-links]").hidden = false;
    const refused = file.refused.map(([number, reason]) => `${number}: ${reason}`);
    const text = [`${box.dataset.done} ${file.name}`, ...refused].join(" · ");
    box.querySelector("[data-labels-status]").textContent = text;
    open.focus();
  }

  async function print(form, button, count) {
    const box = form.querySelector("[data-labels-progress]");
    const bar = box.querySelector("progress");
    const status = box.querySelector("[data-labels-status]");
    box.hidden = false;
    box.querySelector("[data-labels-links]").hidden = true;
    status.textContent = "";
    [bar.value, bar.max] = [0, count];
    button.disabled = true;
    let file = null;
    try {
      const response = await fetch(button.formAction, {
        method: "POST", body: new FormData(form), headers: { Accept: "application/x-ndjson" },
      });
      if (!response.ok) throw new Error(response.status);
      await linesOf(response, (line) => {
        bar.value = line.made;
        box.querySelector("[data-labels-count]").textContent = `${line.made} / ${count}`;
        file = line.content ? line : file;
      });
      if (!file) throw new Error("cut off");
      [bar.value, bar.max] = [file.made, file.made];
      offer(box, file);
    } catch {
      status.textContent = box.dataset.failed;
    } finally {
      button.disabled = false;
    }
  }

  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!event.target.matches("[data-labels]") || !button || !button.matches("[data-print-labels]")) return;
    const count = event.target.elements.numbers.value.split(/[\n,]/).filter((word) => word.trim()).length;
    if (count <= MANY) return;
    event.preventDefault();
    print(event.target, button, count);
  });
})();
