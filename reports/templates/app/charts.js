// The charts of a run: each takes the place that it is drawn in and gives Plotly's traces and layout.
const CHARTS = {
  effects: () => effects(),
  leaderboard: (place) => leaderboard(place),
  convergence: (place) => convergence(place, DATA.tasks, 210),
  task: (place) => convergence(place, [taskShown()], 400),
  splits: (place) => splits(place),
  final: (place) => finals(place),
  reached: () => reached(),
  profile: () => profile(),
  ert: (place) => expected(place),
  tunability: () => tunability(),
  defaults: () => defaults(),
  basins: () => basins(),
  rates: (place) => rates(place, DATA.tasks, 210),
  "task-rates": (place) => rates(place, [taskShown()], 330),
  wins: (place) => wins(place),
  ranks: () => ranks(),
  "step-time": () => costBars("step", "multiples of SGD's step", true),
  "compile-time": () => costBars("compile", "seconds", false),
  memory: () => costBars("state", "multiples of the parameters' memory", false),
  tradeoff: () => tradeoff(),
  gap: (place) => gap(place),
};

function leaderboard() {
  const { order, score: [mean, low, high], by_task, tier } = view().scores[state.board];
  const values = [...by_task.flat(), ...low, ...high].filter((value) => value !== null);
  const [least, most] = [Math.min(...values, -0.1), Math.max(...values, 0.1)];
  const leading = order.filter((o) => tier[o] === 1).length;
  const traces = rowsOf(order, {
    mean, low, high, dots: (o) => by_task.map((row) => row[o]), filled: (o) => tier[o] === 1,
    hover: (o) => `<b>${looks(o).name}</b><br>score ${short(mean[o])}${between(low[o], high[o])}<br>${tier[o] ? `tier ${tier[o]}` : "not on every task, so not ranked"}`,
  });
  const shapes = leading ? [{ type: "rect", xref: "paper", x0: 0, x1: 1, y0: -0.5, y1: leading - 0.5, fillcolor: colors().lead, line: { width: 0 }, layer: "below" }] : [];
  return {
    traces,
    layout: layout({ height: 90 + 27 * order.length, xaxis: axis("← better        score        worse →", { range: [least - 0.15, most + 0.15] }), yaxis: rowsAxis(order, {}, (o) => (tier[o] ? "" : " *")), shapes }),
  };
}

// Of a comparison: each newcomer's loss on each task beside a rival's.
function effects() {
  const shown = DATA.effects.filter((duel) => duel.board === state.board);
  const traces = [], ticks = [];
  let y = 0;
  const values = [];
  for (const duel of shown) {
    duel.tasks.forEach((task, t) => {
      const [factor, low, high] = duel.factor[t];
      ticks.push([y, shown.length > 1 ? `${duel.name}: ${task}` : task]);
      values.push(factor, low, high);
      const { color, symbol } = looks(duel.newcomer);
      if (low !== null) traces.push({ x: [low, high], y: [y, y], mode: "lines", line: { color, width: 3 }, opacity: 0.65, hoverinfo: "skip" });
      if (factor !== null) {
        traces.push({
          x: [factor], y: [y], mode: "markers", marker: { size: 10, color, symbol: symbol + (duel.said[t] === "no difference shown" ? "-open" : ""), line: { width: 2, color } },
          hovertemplate: `${plain(task)}: ${duel.said[t]}<br>${short(factor)} times the loss${between(low, high)}, p ${plain(duel.p[t])}<extra></extra>`,
        });
      }
      y += 1;
    });
  }
  const [low, high] = decades([...values, 1]);
  return {
    traces,
    layout: layout({
      height: 90 + 25 * ticks.length, xaxis: logAxis("loss, times the rival's", [low, high]),
      yaxis: axis("", { tickvals: ticks.map(([at]) => at), ticktext: ticks.map(([, name]) => plain(name)), range: [ticks.length - 0.4, -0.6], showgrid: false, zeroline: false }),
      shapes: [{ type: "line", x0: 1, x1: 1, y0: 0, y1: 1, yref: "paper", line: { color: colors().soft, width: 1 } }],
    }),
  };
}

const SPLIT_NAMES = { train: "training", valid: "validation", test: "test" };

function metricOf(task) {
  return state.metric === "loss" ? "loss" : task.metric;
}

function selectedBy() {
  return state.board === "optimization" ? "train" : "valid";
}

// Where a curve's points stand, in the unit that was chosen; null where no time was measured.
function places(task, o) {
  if (state.x === "seconds") return task.seconds[o] === null ? null : task.step.map((step) => step * task.seconds[o]);
  if (!task.evaluations[o]) return null;
  return state.x === "share" ? task.share : task.evaluations[o];
}

const X_NAMES = { evaluations: "gradient evaluations", seconds: "seconds of training", share: "share of the budget" };

function convergence(place, tasks, height) {
  const shown = new Set(shownOptimizers());
  const logX = state.logx === "1", logY = state.logy === "1" && state.metric === "loss";
  const kind = (log, title) => axis(title, log ? { type: "log" } : {});
  const traces = [], found = tasks.map(() => []), reach = tasks.map(() => []);
  const grid = panels(
    place, tasks.map((task) => (state.metric === "loss" ? task.name : `${task.name}: ${task.metric}`)), height,
    (_, last) => kind(logX, last ? X_NAMES[state.x] : ""),
    (_, first) => kind(logY, first ? (state.metric === "loss" ? `${SPLIT_NAMES[state.split]} loss` : SPLIT_NAMES[state.split]) : ""),
  );
  tasks.forEach((task, t) => {
    const curves = task.curves[selectedBy()][`${state.split}/${metricOf(task)}`];
    const grey = [];
    curves.forEach((curve, o) => {
      const along = curve && places(task, o);
      if (!along) return;
      const x = logX ? along.map((value) => value || null) : along; // a start has no place on a logarithmic axis
      const [low, middle, high] = curve;
      if (!shown.has(o)) {
        grey.push({ x, y: middle });
        return;
      }
      found[t].push(...low, ...middle);
      reach[t].push(...x);
      if (state.bands === "1") traces.push(band(o, x, low, high.map((value) => value ?? 1e30), grid.axes(t)));
      const text = x.map((_, i) => `${short(middle[i])}${between(low[i], high[i])}`);
      traces.push(line(o, x, middle, { text, hovertemplate: "%{text}", ...grid.axes(t) }));
    });
    if (grey.length) traces.unshift(greyLines(grey, grid.axes(t)));
  });
  tasks.forEach((task, t) => {
    const id = t ? String(t + 1) : "";
    const starts = task.curves[selectedBy()][`${state.split}/${metricOf(task)}`].flatMap((curve) => (curve ? [curve[1][0]] : []));
    const top = 1.3 * Math.max(...starts.filter((value) => value !== null), 1e-30);
    const values = found[t].filter((value) => value !== null && value < 1e29);
    if (state.metric === "loss" && values.length) {
      fit(grid.parts[`yaxis${id}`], logY ? decades(values, top) : [0, top]);
    }
    if (logX) fit(grid.parts[`xaxis${id}`], decades(reach[t]));
    if (state.x !== "seconds") {
      const at = (state.x === "share" ? task.share : task.step)[pointsWithin(task) - 1];
      (grid.parts.shapes ??= []).push(...budgetLine(at, `y${id} domain`, `x${id}`));
    }
  });
  return { traces, layout: layout(grid.parts) };
}

// Training, validation and test loss of each optimizer on one task, at its budget.
function splits(place) {
  const task = taskShown();
  const point = pointsWithin(task) - 1;
  const curves = task.curves[selectedBy()];
  const at = (split, o) => curves[`${split}/loss`][o]?.[1][point] ?? null;
  const order = shownOptimizers().filter((o) => at("train", o) !== null).sort((a, b) => at("valid", a) - at("valid", b));
  const traces = gapRows(order, at);
  const values = order.flatMap((o) => Object.keys(SPLIT_NAMES).map((split) => at(split, o)));
  return {
    traces,
    layout: layout({ height: 110 + 27 * order.length, xaxis: logAxis("loss at the budget", decades(values)), yaxis: rowsAxis(order), showlegend: true, legend: { orientation: "h", y: 1.02, yanchor: "bottom" } }),
  };
}

function gapRows(order, at, axes = {}, named = true) {
  const c = colors();
  const marks = { train: "circle", valid: "diamond-open", test: "x" };
  const bars = { x: [], y: [] };
  order.forEach((o, y) => {
    const values = Object.keys(marks).map((split) => at(split, o)).filter((value) => value !== null);
    if (!values.length) return;
    bars.x.push(Math.min(...values), Math.max(...values), null);
    bars.y.push(y, y, null);
  });
  const traces = [{ ...bars, mode: "lines", line: { color: c.line, width: 3 }, hoverinfo: "skip", showlegend: false, ...axes }];
  for (const [split, symbol] of Object.entries(marks)) {
    if (named) traces.push({ x: [null], y: [null], mode: "markers", name: SPLIT_NAMES[split], marker: { symbol, size: 9, color: c.ink } });
    traces.push({
      x: order.map((o) => at(split, o)), y: order.map((_, y) => y), name: SPLIT_NAMES[split], mode: "markers", showlegend: false,
      marker: { symbol, size: 9, color: order.map((o) => DATA.optimizers[o].color) },
      text: order.map((o) => `${looks(o).name}: ${SPLIT_NAMES[split]} loss ${short(at(split, o))}`), hovertemplate: "%{text}<extra></extra>", ...axes,
    });
  }
  return traces;
}

// The same for all tasks.
function gap(place) {
  const order = shownOptimizers();
  const traces = [];
  const grid = panels(
    place, DATA.tasks.map((task) => task.name), 60 + 19 * order.length, (_, last) => axis(last ? "loss at the budget" : "", { type: "log" }),
    (_, first) => rowsAxis(order, first ? {} : { showticklabels: false }),
  );
  DATA.tasks.forEach((task, t) => {
    const point = pointsWithin(task) - 1;
    const at = (split, o) => task.curves[selectedBy()][`${split}/loss`][o]?.[1][point] ?? null;
    traces.push(...gapRows(order, at, grid.axes(t), t === 0));
    const values = order.flatMap((o) => Object.keys(SPLIT_NAMES).map((split) => at(split, o)));
    fit(grid.parts[`xaxis${t ? t + 1 : ""}`], decades(values));
  });
  grid.parts.margin.l = namesWidth(order);
  return { traces, layout: layout({ ...grid.parts, showlegend: true, legend: { orientation: "h", y: 1 + 24 / grid.parts.height, yanchor: "bottom" } }) };
}

// Replicates of one task: what every number of the boards is made from.
function finals() {
  const scores = view().scores[state.board];
  const t = DATA.tasks.indexOf(taskShown());
  const [kind, every] = state.metric === "loss" ? ["loss", "losses"] : ["metric", "metrics"];
  const [mean, low, high] = scores[kind].map((rows) => rows[t]);
  const better = state.metric === "loss" || taskShown().falls ? 1 : -1;
  const shown = new Set(shownOptimizers());
  const lost = scores.diverged[t];
  const place = (o) => (mean[o] === null ? Infinity : better * mean[o]);
  const order = mean.map((_, o) => o).filter((o) => (mean[o] !== null || lost[o]) && shown.has(o)).sort((a, b) => lost[a] - lost[b] || (place(a) < place(b) ? -1 : 1));
  if (!order.length) return null;
  const traces = rowsOf(order, {
    mean, low, high, dots: (o) => scores[every][t][o], hover: (o) => `<b>${looks(o).name}</b><br>${short(mean[o])}${between(low[o], high[o])}${lost[o] ? "<br>a replicate diverged" : ""}`,
  });
  const values = order.flatMap((o) => scores[every][t][o]).filter((value) => value !== null);
  if (!values.length) values.push(1);
  const wide = state.metric === "loss" && Math.max(...values) > 5 * Math.min(...values);
  const label = `${state.board === "optimization" ? "training" : "test"} ${state.metric === "loss" ? "loss" : plain(taskShown().metric)}`;
  const margin = 0.15 * (Math.max(...values) - Math.min(...values)) || 0.1;
  const range = wide ? decades(values) : [Math.min(...values) - margin, Math.max(...values) + margin];
  const edge = range[better > 0 ? 1 : 0];
  const crosses = order.map((_, y) => y).filter((y) => lost[order[y]]);
  traces.push({
    x: crosses.map(() => (wide ? 10 ** edge : edge)), y: crosses, mode: "markers", cliponaxis: false, hoverinfo: "skip", name: "diverged",
    marker: { symbol: "x-thin-open", size: 9, color: crosses.map((y) => DATA.optimizers[order[y]].color), line: { width: 2 } },
  });
  return { traces, layout: layout({ height: 90 + 27 * order.length, xaxis: fit(axis(label, wide ? { type: "log" } : {}), range), yaxis: rowsAxis(order) }) };
}
