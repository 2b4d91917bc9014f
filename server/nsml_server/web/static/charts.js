// Charts of reported values: one for each name, grouped by what stands before its first "/".
(() => {
  "use strict";
  const box = document.getElementById("charts");
  const controls = document.getElementById("chart-controls");
  const page = document.getElementById("session");
  const wait = 1000; // milliseconds between two readings while values come in
  const charts = new Map(); // name -> { plot, figure, latest }
  let series = {};

  const write = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(6)).toString());
  const smoothing = () => Number(controls.elements.smoothing.value);
  const axis = () => controls.elements.axis.value;

  // An average that forgets, corrected at its start, so that the first points are not pulled to zero.
  function smooth(values, weight) {
    let sum = 0, mass = 0;
    return values.map((value) => {
      if (value === null || !Number.isFinite(value)) return null;
      sum = sum * weight + value * (1 - weight);
      mass = mass * weight + (1 - weight);
      return sum / mass;
    });
  }

  function points(line) {
    const x = axis() === "step" ? line.step.map((step, i) => step ?? i) : line.time;
    const start = axis() === "relative" ? line.time[0] : 0;
    // A session that was resumed repeats steps: the drawing needs them in order.
    const order = x.map((_, i) => i).sort((a, b) => x[a] - x[b]);
    const raw = order.map((i) => line.value[i]);
    return [order.map((i) => x[i] - start), raw, smooth(raw, smoothing())];
  }

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function clock(seconds) {
    const two = (value) => String(Math.floor(value)).padStart(2, "0");
    return seconds < 3600 ? `${Math.floor(seconds / 60)}:${two(seconds % 60)}` : `${Math.floor(seconds / 3600)}:${two(seconds / 60 % 60)}:${two(seconds % 60)}`;
  }

  function options(width) {
    const grid = { stroke: colour("--line"), width: 1 };
    const side = { stroke: colour("--dim"), grid, ticks: { show: false }, font: `11px ${colour("--sans")}` };
    const room = (_, labels) => Math.max(52, 14 + 7 * Math.max(0, ...(labels || []).map((label) => label.length)));
    const bottom = { ...side, size: 26, space: 60 };
    if (axis() === "relative") bottom.values = (_, ticks) => ticks.map(clock);
    return {
      width, height: 150, legend: { show: false }, cursor: { y: false, points: { size: 7 }, drag: { x: true, y: false } },
      scales: { x: { time: axis() === "time" } },
      axes: [bottom, { ...side, size: room, values: (_, ticks) => ticks.map(write) }],
      series: [{}, { stroke: colour("--accent"), width: 1, alpha: 0.35 }, { stroke: colour("--accent"), width: 2, points: { show: false } }],
      hooks: { setCursor: [tellPoint] },
    };
  }

  function tellPoint(plot) {
    const name = plot.root.closest("figure").dataset.name;
    const entry = charts.get(name);
    const index = plot.cursor.idx;
    if (!entry) return;
    const x = plot.data[0][index];
    const where = axis() === "step" ? x : axis() === "relative" ? clock(x ?? 0) : new Date(x * 1000).toLocaleTimeString();
    entry.latest.textContent = index === null || index === undefined ? entry.text : `${where} · ${write(plot.data[1][index])}`;
  }

  function group(name) {
    const slash = name.indexOf("/");
    const title = slash > 0 ? name.slice(0, slash) : box.dataset.ungrouped;
    let found = [...box.querySelectorAll("details")].find((details) => details.dataset.group === title);
    if (!found) {
      found = document.createElement("details");
      found.className = "chartgroup";
      found.open = true;
      found.dataset.group = title;
      const summary = document.createElement("summary");
      summary.textContent = title;
      const grid = document.createElement("div");
      grid.className = "chartgrid";
      found.append(summary, grid);
      box.append(found);
    }
    return found.querySelector(".chartgrid");
  }

  function makeChart(name) {
    const figure = document.createElement("figure");
    figure.className = "chart";
    figure.dataset.name = name;
    const caption = document.createElement("figcaption");
    const key = document.createElement("span");
    key.className = "key";
    key.textContent = name;
    key.title = name;
    const latest = document.createElement("span");
    latest.className = "num";
    caption.append(key, latest);
    const place = document.createElement("div");
    place.className = "plot";
    place.setAttribute("role", "img");
    figure.append(caption, place);
    group(name).append(figure);
    const entry = { plot: null, place, latest, text: "" };
    charts.set(name, entry);
    widths.observe(place);
    return entry;
  }

  function draw(name, afresh) {
    const line = series[name];
    const entry = charts.get(name) || makeChart(name);
    entry.text = write(line.value.at(-1));
    entry.latest.textContent = entry.text;
    entry.place.setAttribute("aria-label", `${name}: ${box.dataset.latest} ${entry.text}`);
    const data = points(line);
    if (afresh || !entry.plot) {
      entry.plot?.destroy();
      entry.plot = new uPlot(options(entry.place.clientWidth || 300), data, entry.place);
    } else {
      entry.plot.setData(data);
    }
  }

  function drawAll(afresh) {
    const names = Object.keys(series);
    if (!names.length) return;
    box.querySelector(".empty")?.remove();
    controls.hidden = false;
    names.forEach((name) => draw(name, afresh));
  }

  const widths = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      const entry = charts.get(target.parentElement.dataset.name);
      if (entry?.plot && contentRect.width) entry.plot.setSize({ width: contentRect.width, height: 150 });
    }
  });

  let busy = false, again = false;
  async function read() {
    if (busy) { again = true; return; }
    busy = true;
    again = false;
    try {
      const answer = await fetch(box.dataset.source, { headers: { Accept: "application/json" } });
      if (answer.ok) { series = (await answer.json()).series; drawAll(false); }
    } catch { again = true; } finally {
      setTimeout(() => { busy = false; if (again) read(); }, wait);
    }
  }

  controls.addEventListener("input", (event) => {
    controls.querySelector("output").textContent = smoothing().toFixed(2);
    drawAll(event.target.name === "axis");
  });
  controls.addEventListener("submit", (event) => event.preventDefault());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(true));
  page.addEventListener("nsml:metrics", read);
  read();
})();
