// Loads the page's other scripts once its styles are there: on a slow network each would hold up the styles, and until
// those are there nothing is seen. (A deferred script runs after the style sheets above it.)
(() => {
  "use strict";

  const { scripts, lastScripts } = document.currentScript.dataset;
  document.documentElement.classList.remove("no-js");

  function load(sources, then) {
    const all = sources.split(" ").filter(Boolean);
    let left = all.length;
    const oneIsDone = () => {
      left -= 1;
      if (!left) then();
    };
    all.forEach((source) => {
      const script = document.createElement("script");
      script.src = source;
      // In this order.
      script.async = false;
      script.addEventListener("load", oneIsDone);
      script.addEventListener("error", oneIsDone);
      document.head.append(script);
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    load(scripts, () => {
      // htmx begins at this event, which it came too late for.
      document.dispatchEvent(new Event("DOMContentLoaded"));
      load(lastScripts, () => {});
    });
  }, { once: true });
})();
