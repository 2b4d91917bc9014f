// The live log: text is appended at its offset, never sent again, and never read as markup.
(() => {
  "use strict";
  const KEEP = 512 * 1024; // characters on the page; the whole log is a link away
  const page = document.getElementById("session");
  const log = document.getElementById("log");
  const follow = document.getElementById("log-follow");
  let shown = Number(log.dataset.offset); // bytes of the log that are on the page
  let overwrite = false; // a carriage return came: what follows takes the place of the current line

  function toEnd() { if (follow.checked) log.scrollTop = log.scrollHeight; }

  function eraseLine() {
    const text = log.textContent;
    log.textContent = text.slice(0, text.lastIndexOf("\n") + 1);
  }

  // Of lines written over within one piece only the last is worth drawing.
  function foldReturns(text) {
    return text.split("\n").map((line) => {
      const end = line.endsWith("\r") ? "\r" : "";
      const body = end ? line.slice(0, -1) : line;
      return { over: body.includes("\r"), text: body.slice(body.lastIndexOf("\r") + 1), end };
    });
  }

  function append(text) {
    const lines = foldReturns(text);
    if ((overwrite && lines[0].text) || lines[0].over) eraseLine();
    overwrite = lines[lines.length - 1].end === "\r" || (overwrite && lines.length === 1 && !lines[0].text);
    log.append(lines.map((line) => line.text).join("\n"));
    if (log.textContent.length > KEEP) log.textContent = log.textContent.slice(-KEEP / 2);
  }

  function onLog(event) {
    const piece = JSON.parse(event.data);
    if (piece.offset < shown) return;
    if (piece.offset > shown) append(`\n${log.dataset.gap}\n`);
    append(piece.text);
    shown = piece.end;
    // A connection made anew, without the browser's own resuming, starts from here.
    page.setAttribute("sse-connect", `${page.dataset.live}?offset=${shown}`);
    toEnd();
  }

  page.addEventListener("htmx:sseOpen", (event) => {
    const source = event.detail.source;
    if (source.nsmlLog) return;
    source.nsmlLog = true;
    source.addEventListener("log", onLog);
    source.addEventListener("metrics", () => page.dispatchEvent(new CustomEvent("nsml:metrics")));
  });
  log.addEventListener("scroll", () => {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    if (!atEnd && log.matches(":hover, :focus")) follow.checked = false;
  });
  follow.addEventListener("change", toEnd);
  toEnd();
})();
