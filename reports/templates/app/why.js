// Diagnostics: what was recorded along one run of each cell, and the loss around the runs of each task's two best.
Object.assign(CHARTS, {
  along: (place) => along(place),
  layers: (place) => layers(place),
  landscape: (place) => landscape(place),
  between: () => between_ends(),
});

const QUANTITY_WORDS = {
  sharpness: "sharpness", gradient: "gradient norm", ratio: "update / weights", alignment: "cosine", distance: "distance", path: "path length",
};
const LOG_QUANTITIES = ["sharpness", "gradient", "ratio"];

// One quantity along the runs, task by task; of gradient descent on all rows with the edge of its stability.
function along(place) {
  const shown = new Set(shownOptimizers());
  const key = state.quantity, log = LOG_QUANTITIES.includes(key);
  const kind = (title) => axis(title, log ? { type: "log" } : {});
  const traces = [];
  const grid = panels(
    place, DATA.tasks.map((task) => task.name), 190, (_, last) => axis(last ? X_NAMES.evaluations : ""), (_, first) => kind(first ? QUANTITY_WORDS[key] : ""),
  );
  DATA.why.forEach((task, t) => {
    const found = [], grey = [];
    task.traces.forEach((trace, o) => {
      if (!trace) return;
      const x = key === "sharpness" ? trace.sharp_x : trace.x, y = trace[key];
      if (!shown.has(o)) {
        grey.push({ x, y });
        return;
      }
      found.push(...y);
      traces.push(line(o, x, y, { text: y.map(short), hovertemplate: "%{text}", ...grid.axes(t) }));
      if (key === "sharpness" && trace.edge !== null) {
        found.push(trace.edge);
        traces.push({
          x: [x[0], x.at(-1)], y: [trace.edge, trace.edge], mode: "lines", line: { color: looks(o).color, width: 1.2, dash: "dash" },
          hovertemplate: `2 / learning rate of ${looks(o).name}: ${short(trace.edge)}<extra></extra>`, ...grid.axes(t),
        });
      }
    });
    if (grey.length) traces.unshift(greyLines(grey, grid.axes(t)));
    const id = t ? String(t + 1) : "", there = found.filter((value) => value !== null);
    if (!there.length) return;
    fit(grid.parts[`yaxis${id}`], log ? decades(there) : key === "alignment" ? [-1.08, 1.08] : [0, 1.06 * Math.max(...there, 1e-30)]);
    (grid.parts.shapes ??= []).push(...budgetLine(DATA.tasks[t].step[pointsWithin(DATA.tasks[t]) - 1], `y${id} domain`, `x${id}`));
  });
  return { traces, layout: layout(grid.parts) };
}

function whyShown() {
  return DATA.why[DATA.tasks.indexOf(taskShown())];
}

// How fast each array of parameters changes, on one task.
function layers(place) {
  const shown = shownOptimizers().filter((o) => whyShown().traces[o]);
  if (!shown.length) return null;
  const names = whyShown().traces[shown[0]].layers;
  const traces = [];
  const grid = panels(
    place, names, 170, (_, last) => axis(last ? X_NAMES.evaluations : ""), (_, first) => axis(first ? QUANTITY_WORDS.ratio : "", { type: "log" }),
  );
  const every = shown.flatMap((o) => whyShown().traces[o].layer_ratios.flat());
  names.forEach((_, l) => {
    for (const o of shown) {
      const { x, layer_ratios } = whyShown().traces[o];
      traces.push(line(o, x, layer_ratios[l], { text: layer_ratios[l].map(short), hovertemplate: "%{text}", ...grid.axes(l) }));
    }
    fit(grid.parts[`yaxis${l ? l + 1 : ""}`], decades(every)); // the same for all, to be compared
  });
  return { traces, layout: layout(grid.parts) };
}

// The plane through the start and both ends.
function landscape(place) {
  const found = whyShown().landscape;
  if (!found) return null;
  const dark = document.documentElement.dataset.theme === "dark", c = colors();
  const values = found.loss.flat().filter((value) => value !== null && value > 0);
  if (!values.length) return null;
  const [row, column] = [nearest(found.y, 0), nearest(found.x, 0)];
  const low = Math.log10(Math.min(...values));
  const high = Math.max(Math.log10(1.5 * (found.loss[row][column] ?? 0)) || -Infinity, low + 0.3);
  const z = found.loss.map((line) => line.map((value) => (value === null ? high : Math.min(Math.max(Math.log10(Math.max(value, 1e-30)), low), high))));
  const ground = dark ? [[0, "#8495a6"], [1, "#20262d"]] : [[0, "#f4f7fa"], [1, "#7b90a4"]];
  const traces = [{
    type: "contour", x: found.x, y: found.y, z, colorscale: ground, showscale: false, autocontour: false, line: { width: 0.5, color: dark ? "#55616d" : "#aab8c5" },
    contours: { start: low, end: high, size: (high - low) / 14 }, text: found.loss.map((line) => line.map(short)), hovertemplate: "loss %{text}<extra></extra>",
  }];
  const ends = [0, 1].map((i) => found[`path_${i}`].at(-1));
  traces.push({ x: ends.map((end) => end[0]), y: ends.map((end) => end[1]), mode: "lines", line: { color: c.ink, width: 1, dash: "dot" }, hoverinfo: "skip" });
  found.optimizers.forEach((o, i) => {
    const path = found[`path_${i}`], { name, color, symbol } = looks(o);
    traces.push({ x: path.map((p) => p[0]), y: path.map((p) => p[1]), mode: "lines", line: { color, width: 2.2 }, hoverinfo: "skip" });
    traces.push({ x: [ends[i][0]], y: [ends[i][1]], mode: "markers+text", text: [`<b>${name}</b>`], textposition: ends[i][0] > (found.x[0] + found.x.at(-1)) / 2 ? "top left" : "top right", textfont: { color: c.ink }, marker: { size: 12, color, symbol, line: { width: 1.5, color: c.page } }, hovertemplate: `end of ${name}<extra></extra>` });
  });
  traces.push({ x: [0], y: [0], mode: "markers", marker: { symbol: "x", size: 9, color: c.ink }, hovertemplate: "start<extra></extra>" });
  const side = Math.min(520, place.clientWidth || 520);
  return {
    traces,
    layout: layout({
      height: side, margin: { l: 40, r: 10, t: 10, b: 42 }, xaxis: axis("distance", { range: [found.x[0], found.x.at(-1)], zeroline: false, showgrid: false, constrain: "domain" }),
      yaxis: axis("", { range: [found.y[0], found.y.at(-1)], scaleanchor: "x", zeroline: false, showgrid: false, constrain: "domain" }),
    }),
  };
}

function nearest(values, wanted) {
  return values.reduce((best, value, i) => (Math.abs(value - wanted) < Math.abs(values[best] - wanted) ? i : best), 0);
}

// The loss on the straight line from one end to the other.
function between_ends() {
  const found = whyShown().landscape;
  if (!found) return null;
  const x = found.between_share, y = found.between_loss;
  const c = colors();
  const traces = [{ x, y, mode: "lines", line: { color: c.soft, width: 2 }, text: y.map(short), hovertemplate: "loss %{text}<extra></extra>" }];
  found.optimizers.forEach((o, i) => {
    const at = nearest(x, i), { name, color, symbol } = looks(o);
    traces.push({ x: [x[at]], y: [y[at]], mode: "markers", marker: { size: 12, color, symbol, line: { width: 1.5, color: c.page } }, hovertemplate: `end of ${name}: ${short(y[at])}<extra></extra>` });
  });
  const ticks = found.optimizers.map((o) => looks(o).name);
  return { traces, layout: layout({ height: 360, xaxis: axis("", { tickvals: [0, 1], ticktext: ticks, showgrid: false }), yaxis: logAxis("training loss", decades(y)) }) };
}
