// The console: Enter sends, Shift+Enter begins a new line, and a Korean syllable being composed is not sent half.
(() => {
  "use strict";
  const page = document.getElementById("session");

  page.addEventListener("keydown", (event) => {
    const field = event.target.closest("textarea[data-sends]");
    if (!field || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!field.form.querySelector("button").disabled) field.form.requestSubmit();
  });
  // What was asked stands above its answer; the field is free for the next question. Its form may be another one by now: the part
  // is sent again when the session's state changes, and only the field is kept.
  page.addEventListener("htmx:afterSwap", (event) => {
    const asked = event.detail.requestConfig?.path;
    for (const field of page.querySelectorAll("textarea[data-sends]")) {
      if (field.form.getAttribute("hx-post") === asked) field.value = "";
    }
  });
})();
