// Charts of targets, of tuning, of pairs and of costs.
function reached() {
  const { shares, lines, end: [mean, low, high] } = view().targets;
  const share = DATA.shares[viewIndex()];
  return linesOf((o) => ({ x: shares.map((s) => s * share), y: lines[o], hover: "", end: [mean[o], low[o], high[o]] }), {
    xaxis: axis("share of the full budget", { tickformat: ".0%", tickvals: [0, 1, 2, 3, 4, 5].map((fifth) => (fifth * share) / 5) }), yaxis: axis("tasks and runs at the target", { tickformat: ".0%", range: [-0.02, 1.02] }),
  });
}

function profile() {
  const { factors, profile: lines } = view().targets;
  return linesOf((o) => ({ x: factors, y: lines[o], hover: "" }), {
    xaxis: logAxis("expected evaluations to the target, times the least", [-0.01, Math.log10(factors.at(-1)) + 0.01]),
    yaxis: axis("tasks within the factor", { tickformat: ".0%", range: [-0.02, 1.02] }),
  }, { line: { shape: "hv" } });
}

// One line an optimizer; those not chosen in grey.
function linesOf(points, axes, more = {}) {
  const shown = new Set(shownOptimizers());
  const traces = [], grey = [], ends = [];
  DATA.optimizers.forEach((_, o) => {
    const { x, y, hover, end } = points(o);
    if (!y || y.every((value) => value === null)) return;
    if (!shown.has(o)) {
      grey.push({ x, y });
      return;
    }
    const made = line(o, x, y, { hovertemplate: `%{x:.3~g}: %{y:.3~g}${hover ? `<br>${hover}` : ""}` });
    made.line = { ...made.line, ...more.line };
    traces.push(made);
    if (end) ends.push([o, end, x.at(-1), x.at(-1) - x[0]]);
  });
  // What stands at the end, with its interval, beside the chart: no line says how sure it is.
  ends.forEach(([o, [value, low, high], last, width], index) => {
    const { name, color, symbol } = looks(o);
    const at = last + width * (0.02 + 0.018 * index);
    if (low !== null) traces.push({ x: [at, at], y: [low, high], name, mode: "lines", line: { color, width: 2 }, opacity: faint(0.65), hoverinfo: "skip" });
    traces.push({ x: [at], y: [value], name, mode: "markers", marker: { color, symbol, size: 7 }, hovertemplate: `at the end ${short(value)}${between(low, high)}` });
  });
  if (grey.length) traces.unshift(greyLines(grey, more));
  return { traces, layout: layout({ height: 360, margin: { l: 58, r: 12, t: 12, b: 46 }, ...axes }) };
}

// Expected evaluations to each task's target.
function expected(place) {
  const { ert: [cost, low, high], reached: hits, runs, target, budget, order } = view().targets;
  const shown = new Set(shownOptimizers());
  const rows = order.filter((o) => shown.has(o));
  const traces = [];
  const grid = panels(
    place, DATA.tasks.map((task, t) => `${task.name}: loss ${short(target[t])}`), 50 + 19 * rows.length,
    (_, last) => axis(last ? "gradient evaluations" : "", { type: "log" }), (_, first) => rowsAxis(rows, first ? {} : { showticklabels: false }),
  );
  grid.parts.shapes = [];
  DATA.tasks.forEach((_, t) => {
    const id = t ? String(t + 1) : "";
    const range = decades([...rows.flatMap((o) => [cost[t][o], low[t][o], high[t][o]]), budget[t]]);
    const edge = 10 ** range[1];
    fit(grid.parts[`xaxis${id}`], [range[0], range[1] + 0.05 * (range[1] - range[0])]);
    grid.parts.shapes.push({ type: "line", x0: budget[t], x1: budget[t], y0: 0, y1: 1, xref: `x${id}`, yref: `y${id} domain`, line: { color: colors().soft, width: 1, dash: "dash" } });
    traces.push(...rowsOf(rows, {
      mean: cost[t].map((value, o) => value ?? (runs[t][o] ? edge : null)), low: low[t], high: high[t].map((value, o) => value ?? (low[t][o] === null ? null : edge)),
      filled: (o) => hits[t][o] === runs[t][o], axes: grid.axes(t),
      hover: (o) => `<b>${looks(o).name}</b><br>${cost[t][o] === null ? "missed" : short(cost[t][o])}${between(low[t][o], high[t][o])}<br>${hits[t][o]} of ${runs[t][o]} runs reach it`,
    }));
  });
  grid.parts.margin.l = namesWidth(rows);
  return { traces, layout: layout(grid.parts) };
}

function tunability() {
  const [mean, low, high] = view().robustness.tuning[state.board];
  const trials = mean[0].map((_, k) => k + 1);
  return linesOf((o) => ({ x: trials, y: mean[o], hover: "", end: [mean[o], low[o], high[o]].map((values) => values.at(-1)) }), {
    xaxis: axis("trials", { tickvals: trials.filter((k) => (k - 1) % Math.max(1, Math.round(trials.length / 10)) === 0) }), yaxis: logAxis("loss, times the best found", decades(mean.flat())),
  });
}

function defaults() {
  const { cost: [mean, low, high], cost_by_task, order } = view().robustness;
  return factorRows(order, mean, low, high, (o) => cost_by_task.map((row) => row[o]), "loss, times the best of the search", true);
}

function basins() {
  const { basin: [mean, low, high], basin_by_task, order } = view().robustness;
  return factorRows(order, mean, low, high, (o) => basin_by_task.map((row) => row[o]), "decades of good learning rates", false);
}

function factorRows(order, mean, low, high, dots, title, log) {
  const rows = order.filter((o) => mean[o] !== null);
  const values = rows.flatMap((o) => [mean[o], low?.[o], high?.[o], ...dots(o)]).filter((value) => value !== null && value !== undefined);
  const most = Math.max(...values, 0.1);
  const range = log ? decades(values) : [-0.02 * most, 1.06 * most];
  return {
    traces: rowsOf(rows, { mean, low, high, dots, hover: (o) => `<b>${looks(o).name}</b><br>${short(mean[o])}${low ? between(low[o], high[o]) : ""}` }),
    layout: layout({ height: 90 + 25 * rows.length, xaxis: fit(axis(title, log ? { type: "log" } : {}), range), yaxis: rowsAxis(rows) }),
  };
}

// Training loss over learning rate: the trials of all searches.
function rates(place, tasks, height) {
  const shown = shownOptimizers();
  const traces = [];
  const grid = panels(
    place, tasks.map((task) => task.name), height, (_, last) => axis(last ? "learning rate" : "", { type: "log" }), (_, first) => axis(first ? "training loss" : "", { type: "log" }),
  );
  tasks.forEach((task, t) => {
    const point = pointsWithin(task) - 1;
    const starts = task.trials.flatMap((trials) => (trials ? trials.loss[0] : [])).filter((value) => value !== null).sort((a, b) => a - b);
    const top = 3 * (starts[Math.floor(starts.length / 2)] ?? 1);
    const values = [], tried = [];
    for (const o of shown) {
      const trials = task.trials[o];
      if (!trials) continue;
      const { color, symbol, dash, name } = looks(o);
      const y = trials.loss[point].map((value) => (value === null || value > top ? top : value));
      values.push(...y);
      tried.push(...trials.rate);
      traces.push({
        x: trials.rate, y, mode: "markers", name, marker: { color, size: 4.5, opacity: 0.5, symbol: y.map((value) => (value === top ? "x-thin-open" : symbol)) },
        hovertemplate: "rate %{x:.3~g}: loss %{y:.3~g}", ...grid.axes(t),
      });
      const middle = binned(trials.rate, y);
      traces.push({ ...middle, mode: "lines", name, line: { color, dash, width: 1.6 }, hoverinfo: "skip", ...grid.axes(t) });
    }
    fit(grid.parts[`yaxis${t ? t + 1 : ""}`], decades(values));
    fit(grid.parts[`xaxis${t ? t + 1 : ""}`], decades(tried));
  });
  return { traces, layout: layout(grid.parts) };
}

// Medians of two bins a decade.
function binned(rate, loss) {
  const bins = new Map();
  rate.forEach((value, i) => {
    const bin = Math.floor(2 * Math.log10(value));
    bins.set(bin, [...(bins.get(bin) ?? []), i]);
  });
  const x = [], y = [];
  for (const [, members] of [...bins].sort(([a], [b]) => a - b)) {
    x.push(Math.exp(members.reduce((sum, i) => sum + Math.log(rate[i]), 0) / members.length));
    const values = members.map((i) => loss[i]).sort((a, b) => a - b);
    y.push((values[Math.floor((values.length - 1) / 2)] + values[Math.ceil((values.length - 1) / 2)]) / 2);
  }
  return { x, y };
}

// Who is ahead of whom, on how many tasks; a dot where the board tells them apart.
function wins(place) {
  const { wins: share, p } = view().pairs[state.board];
  const shown = new Set(shownOptimizers());
  const order = view().scores[state.board].order.filter((o) => shown.has(o));
  const names = order.map(label);
  const z = order.map((a) => order.map((b) => (a === b ? null : share[a][b])));
  const text = order.map((a) => order.map((b) => {
    if (a === b) return "";
    const apart = p[a][b] !== null && p[a][b] <= 0.05;
    if (share[a][b] === null) return `${looks(a).name} and ${looks(b).name} have no task in common`;
    return `${looks(a).name} is ahead of ${looks(b).name} on ${Math.round(100 * share[a][b])} % of the tasks of both<br>` +
      (p[a][b] === null ? "not ranked" : `${apart ? "told apart" : "not told apart"}, p ${short(p[a][b])}`);
  }));
  const c = colors(), dark = document.documentElement.dataset.theme === "dark";
  const scale = [[0, "#c2571a"], [0.5, dark ? "#2a2f35" : "#f4f4f4"], [1, "#1f77b4"]];
  const width = Math.min(place.clientWidth || 700, 240 + 46 * order.length);
  const small = order.length > 20, roomy = !small && (width - 150) / order.length >= 34; // for numbers, not dots alone
  const said = order.flatMap((a, i) => order.flatMap((b, j) => {
    if (a === b || share[a][b] === null) return [];
    const dot = p[a][b] !== null && p[a][b] <= 0.05 ? "•" : "";
    return roomy || dot ? [{ x: j, y: i, text: roomy ? `${Math.round(100 * share[a][b])}${dot}` : dot, color: Math.abs(share[a][b] - 0.5) > 0.3 ? "#ffffff" : c.ink }] : [];
  }));
  const ticks = { tickvals: order.map((_, i) => i), ticktext: names, showgrid: false, zeroline: false };
  return {
    traces: [{ type: "heatmap", z, text, hovertemplate: "%{text}<extra></extra>", colorscale: scale, zmin: 0, zmax: 1, showscale: false, xgap: 1, ygap: 1 }, {
      x: said.map((cell) => cell.x), y: said.map((cell) => cell.y), text: said.map((cell) => cell.text), mode: "text", hoverinfo: "skip", cliponaxis: false,
      textfont: { size: small ? 8 : 11, color: said.map((cell) => cell.color) },
    }],
    layout: layout({ height: 150 + (small ? 13 : 30) * order.length, width, xaxis: axis("", { ...ticks, tickangle: -45 }), yaxis: axis("", { ...ticks, autorange: "reversed" }) }),
  };
}

// Mean ranks, with bars that join those not told apart by Nemenyi's test.
const MOST_BARS = 12;
function ranks() {
  const found = view().ranks[state.board];
  if (!found) return null;
  const { optimizers: order, mean, joined, critical } = found;
  const byName = [];
  order.forEach((o, i) => { byName[o] = mean[i]; });
  const traces = rowsOf(order, { mean: byName, hover: (o) => `<b>${looks(o).name}</b><br>mean rank ${short(byName[o])}` });
  // Beside the chart, apart from its scale; of very many the first ones, so that they stay bars.
  const bars = joined.slice(0, MOST_BARS);
  const shapes = bars.map(([first, last], i) => {
    const x = 1.012 + (0.1 * i) / MOST_BARS;
    return { type: "line", xref: "paper", x0: x, x1: x, y0: first - 0.3, y1: last + 0.3, line: { color: colors().soft, width: 2.5 } };
  });
  const lacking = joined.length > bars.length ? `; the first ${bars.length} of ${joined.length} bars` : "";
  const title = `${plain(`mean rank${found.friedman ? `, Friedman p ${found.friedman}` : ""}`)}<br>critical difference ${short(critical)}${lacking}`;
  const room = { l: 10, r: 90, t: 28, b: 10 };
  return { traces, layout: layout({ height: 100 + 25 * order.length, margin: room, xaxis: axis(title, { range: [0.6, Math.max(...mean) + 0.6] }), yaxis: rowsAxis(order), shapes }) };
}

function costBars(kind, title, log) {
  const every = DATA.costs[kind];
  const mean = every.map((values) => middle(values, log));
  const order = mean.map((_, o) => o).filter((o) => mean[o] !== null).sort((a, b) => mean[a] - mean[b]);
  if (!order.length) return null;
  return factorRows(order, mean, null, null, (o) => every[o], title, log);
}

// Geometric mean or median of what was measured.
function middle(values, geometric) {
  const there = values.filter((value) => value !== null).sort((a, b) => a - b);
  if (!there.length) return null;
  if (geometric) return Math.exp(there.reduce((sum, value) => sum + Math.log(value), 0) / there.length);
  return (there[Math.floor((there.length - 1) / 2)] + there[Math.ceil((there.length - 1) / 2)]) / 2;
}

// Score beside the cost of a step, of those ranked: nobody is both better and cheaper than those on the line.
function tradeoff() {
  const { score: [mean, low, high], tier } = view().scores[state.board];
  const cost = DATA.costs.step.map((values) => middle(values, true));
  const known = cost.map((_, o) => o).filter((o) => cost[o] !== null && tier[o]);
  if (!known.length) return null;
  const front = [...known].sort((a, b) => cost[a] - cost[b]).filter((o, i, all) => all.slice(0, i).every((other) => mean[other] > mean[o]));
  const shown = new Set(shownOptimizers());
  const traces = [{ x: front.map((o) => cost[o]), y: front.map((o) => mean[o]), mode: "lines", line: { color: colors().soft, width: 1, dash: "dot", shape: "hv" }, hoverinfo: "skip" }];
  for (const o of known) {
    const { name, color, symbol } = looks(o);
    const ink = shown.has(o) ? color : GREY;
    traces.push({
      x: [cost[o]], y: [mean[o]], error_y: { type: "data", symmetric: false, array: [(high[o] ?? mean[o]) - mean[o]], arrayminus: [mean[o] - (low[o] ?? mean[o])], color: ink, thickness: 1, width: 0 },
      mode: "markers", marker: { color: ink, symbol, size: 11 },
      hovertemplate: `<b>${name}</b><br>step ${short(cost[o])} × SGD's, score ${short(mean[o])}${between(low[o], high[o])}<extra></extra>`,
    });
  }
  const range = decades(known.map((o) => cost[o])), height = 430;
  const ends = known.flatMap((o) => [mean[o], low[o] ?? mean[o], high[o] ?? mean[o]]);
  const span = 1.1 * (Math.max(...ends) - Math.min(...ends)) || 1;
  const annotations = labels(known.filter((o) => shown.has(o)), cost, mean, height, span);
  return { traces, layout: layout({ height, annotations, margin: { l: 58, r: 90, t: 12, b: 46 }, xaxis: logAxis("step time, multiples of SGD's", [range[0], range[1] + 0.1]), yaxis: axis("score (lower is better)", { autorange: "reversed" }) }) };
}

// Names beside points, each moved down until it meets none above it.
function labels(those, x, y, height, span) {
  const pixels = (o) => (y[o] / span) * (height - 90);
  const taken = [];
  return [...those].sort((a, b) => y[a] - y[b]).map((o) => {
    let at = pixels(o);
    while (taken.some((other) => Math.abs(Math.log10(x[o] / other.x)) < 0.12 && Math.abs(at - other.at) < 14)) at += 2;
    taken.push({ x: x[o], at });
    return {
      x: Math.log10(x[o]), y: y[o], text: label(o), xanchor: "left", ax: 16, ay: at - pixels(o), arrowwidth: 0.6, arrowhead: 0, standoff: 6, font: { size: 11 }, arrowcolor: GREY,
    };
  });
}
