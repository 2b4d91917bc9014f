// Every page: times in the reader's zone and language, running clocks, and a word when the live connection is lost.
(() => {
  "use strict";
  const language = document.documentElement.lang;
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  const absolute = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  function writeAge(element) {
    const moment = new Date(element.dateTime);
    const seconds = (moment - Date.now()) / 1000;
    const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) || units[3];
    element.textContent = relative.format(Math.trunc(seconds / size), unit);
    element.title = absolute.format(moment);
  }

  function writeClock(element) {
    const total = Math.max(0, Math.floor((Date.now() - new Date(element.dataset.since)) / 1000));
    const two = (value) => String(value).padStart(2, "0");
    element.textContent = `${Math.floor(total / 3600)}:${two(Math.floor(total / 60) % 60)}:${two(total % 60)}`;
  }

  function writeTimes() {
    document.querySelectorAll("time[data-relative]").forEach(writeAge);
    document.querySelectorAll("[data-since]").forEach(writeClock);
  }

  function tellConnection(lost) {
    document.body.classList.toggle("offline", lost);
    const notice = document.getElementById("notice");
    if (lost && !notice.firstChild) {
      const line = document.createElement("p");
      line.className = "callout waiting connection";
      line.textContent = document.getElementById("offline-text").content.textContent;
      notice.append(line);
    } else if (!lost) {
      notice.querySelector(".connection")?.remove();
    }
  }

  let complaint;
  document.body.addEventListener("htmx:sseError", () => {
    clearTimeout(complaint);
    complaint = setTimeout(tellConnection, 3000, true);
  });
  document.body.addEventListener("htmx:sseOpen", () => {
    clearTimeout(complaint);
    tellConnection(false);
  });
  // A finished stream is closed by the page: no complaint, no live mark.
  document.body.addEventListener("htmx:sseClose", () => clearTimeout(complaint));
  document.body.addEventListener("htmx:afterSettle", writeTimes);
  document.body.addEventListener("htmx:sseMessage", writeTimes);
  writeTimes();
  setInterval(writeTimes, 1000);
})();
