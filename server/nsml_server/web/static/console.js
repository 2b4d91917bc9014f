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
  // What was asked stands above its answer; the field is free for the next question.
  page.addEventListener("htmx:afterRequest", (event) => {
    const field = event.target.querySelector?.("textarea[data-sends]");
    if (field && event.detail.successful) field.value = "";
  });
})();
