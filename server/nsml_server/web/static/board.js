// The board: rows slide from their old place to the new one, and what changed is lit for a moment.
(() => {
  "use strict";
  const rows = document.getElementById("board-rows");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let before = new Map();

  const read = () => new Map([...rows.querySelectorAll("tr[data-key]")].map((row) =>
    [row.dataset.key, { top: row.getBoundingClientRect().top, score: row.dataset.score }]));

  rows.addEventListener("htmx:sseBeforeMessage", () => { before = read(); });
  rows.addEventListener("htmx:sseMessage", () => {
    for (const row of rows.querySelectorAll("tr[data-key]")) {
      const old = before.get(row.dataset.key);
      if (!old || old.score !== row.dataset.score) row.classList.add("moved");
      const distance = old ? old.top - row.getBoundingClientRect().top : 0;
      if (distance && !calm.matches) {
        row.animate([{ transform: `translateY(${distance}px)` }, { transform: "none" }], { duration: 450, easing: "ease-out" });
      }
    }
  });
})();
