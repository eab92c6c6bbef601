// The charts of a study: a line for each optimizer over the values, with intervals.
const hidden = new Set();

function element(kind, attributes = {}, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const shown = () => DATA.optimizers.map((_, o) => o).filter((o) => !hidden.has(o));

function valueAxis() {
  const all = DATA.positions, span = Math.max(...all) - Math.min(...all) || 1;
  const broken = DATA.texts.join("").length > 40; // words as long as these go over several lines
  const text = (value) => (broken ? plain(value).replaceAll("_", "_<br>") : plain(value));
  return axis(plain(DATA.label), {
    tickvals: all, ticktext: DATA.texts.map((value, v) => (v === DATA.base ? `<b>${text(value)}</b>` : text(value))),
    range: [Math.min(...all) - 0.06 * span, Math.max(...all) + 0.06 * span], zeroline: false, tickangle: 0,
  });
}

// Optimizers stand beside each other, so that their intervals can be told apart.
function beside(o) {
  const all = DATA.positions, span = Math.max(...all) - Math.min(...all) || 1;
  const apart = 0.03 * span / Math.max(1, DATA.optimizers.length - 1);
  return all.map((x) => x + apart * (o - (DATA.optimizers.length - 1) / 2));
}

// Words have no order: what joins them only leads the eye.
function stroke(dash) {
  return DATA.scale === "categorical" ? { dash: "dot", width: 1 } : { dash, width: 2 };
}

// A line with the interval of each of its points.
function withIntervals(o, [mean, low, high], more = {}) {
  const { name, color, symbol, dash } = looks(o);
  const there = mean[o].map((value) => value !== null);
  const up = mean[o].map((value, v) => (there[v] && high[o][v] !== null ? high[o][v] - value : 0));
  const down = mean[o].map((value, v) => (there[v] && low[o][v] !== null ? value - low[o][v] : 0));
  return {
    name, x: beside(o), y: mean[o], mode: "lines+markers", line: { color, ...stroke(dash) }, marker: { color, symbol, size: 8 },
    error_y: { type: "data", symmetric: false, array: up, arrayminus: down, color, thickness: 1.4, width: 0 },
    text: mean[o].map((value, v) => `${name}, ${plain(DATA.texts[v])}: ${short(value)}${between(low[o][v], high[o][v])}`),
    hovertemplate: "%{text}<extra></extra>", ...more,
  };
}

// Crosses at the top for what is infinite, one below the other.
function misses(o, mean) {
  const { color } = looks(o), at = mean[o].map((_, v) => v).filter((v) => mean[o][v] === null && DATA.series.metric[0][o][v] !== null), x = beside(o);
  return {
    x: at.map((v) => x[v]), y: at.map(() => 0.97 - 0.045 * o), yaxis: "y2", mode: "markers", marker: { symbol: "x-thin-open", size: 9, color, line: { color, width: 2 } },
    text: at.map((v) => `${looks(o).name}, ${plain(DATA.texts[v])}: not reached`), hovertemplate: "%{text}<extra></extra>", cliponaxis: false,
  };
}

function shapes(more = []) {
  if (DATA.base < 0) return more;
  const x = DATA.positions[DATA.base];
  return [{ type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: { color: colors().soft, width: 1, dash: "dot" }, layer: "between" }, ...more];
}

function zero() {
  return { type: "line", x0: 0, x1: 1, xref: "paper", y0: 0, y1: 0, line: { color: colors().soft, width: 1 }, layer: "between" };
}

function frame(y, more = {}) {
  return layout({ height: 330, xaxis: valueAxis(), yaxis: y, shapes: shapes(), margin: { l: 10, r: 12, t: 30, b: 10 }, ...more });
}

function simple(name, title, more = {}) {
  const ends = DATA.series[name];
  if (!ends) return null;
  return { traces: shown().map((o) => withIntervals(o, ends)), layout: frame(axis(title), more) };
}

function logarithmic(name, title) {
  const ends = DATA.series[name];
  if (!ends) return null;
  const all = shown().flatMap((o) => [...ends[0][o], ...ends[1][o], ...ends[2][o]]);
  const laws = DATA.laws.filter((law) => law.what === LAWS[name] && !hidden.has(law.optimizer)).map((law) => {
    const x = [law.first, law.last];
    return { x: x.map(Math.log10), y: x.map((value) => law.factor * value ** law.exponent), mode: "lines", line: { color: GREY, width: 4 }, opacity: 0.45, hoverinfo: "skip" };
  });
  const traces = [...laws, ...shown().map((o) => withIntervals(o, ends))];
  const y2 = { overlaying: "y", range: [0, 1], visible: false, fixedrange: true };
  if (name === "steps") traces.push(...shown().map((o) => misses(o, ends[0])));
  return { traces, layout: frame(logAxis(title, decades(all)), { yaxis2: y2 }) };
}

const LAWS = { steps: "steps to the target", train_loss: "training loss", test_loss: "test loss", rate: "tuned learning rate" };
const CHARTS = {
  metric: () => simple("metric", `test ${plain(DATA.metric)}`),
  steps: () => logarithmic("steps", "gradient evaluations"),
  gap: () => simple("gap", `training less validation ${plain(DATA.metric)}`, { shapes: shapes([zero()]) }),
  rate: () => logarithmic("rate", "learning rate"),
  train_loss: () => logarithmic("train_loss", "training loss"),
  test_loss: () => logarithmic("test_loss", "test loss"),
  regret: () => simple("regret", `${plain(DATA.metric)} lost`, { shapes: shapes([zero()]) }),
  moved: () => {
    const { settled, moved } = DATA.series;
    if (!moved) return null;
    const kept = shown().map((o) => {
      const { color, symbol, name } = looks(o);
      return {
        x: beside(o), y: moved[0][o], mode: "lines+markers", line: { color, dash: "dot", width: 2 }, marker: { color, symbol: `${symbol}-open`, size: 8 },
        text: moved[0][o].map((value, v) => `${name}, kept setting, ${plain(DATA.texts[v])}: ${short(value)}${between(moved[1][o][v], moved[2][o][v])}`),
        hovertemplate: "%{text}<extra></extra>",
      };
    });
    const own = shown().map((o) => withIntervals(o, settled, { line: { color: looks(o).color, width: 2 }, error_y: { visible: false } }));
    return { traces: [...own, ...kept], layout: frame(axis(`test ${plain(DATA.metric)}`)) };
  },
  ranks: () => {
    const count = DATA.optimizers.length;
    const traces = shown().map((o) => {
      const { name, color, symbol, dash } = looks(o);
      return {
        x: DATA.positions, y: DATA.ranks[o], mode: "lines+markers", line: { color, ...stroke(dash) },
        marker: { color, size: 13, symbol: DATA.equal[o].map((equal) => symbol + (equal ? "" : "-open")), line: { color, width: 2 } },
        text: DATA.ranks[o].map((rank, v) => `${name}, ${plain(DATA.texts[v])}: place ${rank}, ${DATA.equal[o][v] ? "not told apart from" : "told apart from"} the first`),
        hovertemplate: "%{text}<extra></extra>",
      };
    });
    const y = axis("place", { tickvals: Array.from({ length: count }, (_, i) => i + 1), range: [count + 0.5, 0.5], zeroline: false });
    return { traces, layout: frame(y, { height: 110 + 46 * count }) };
  },
};

function draw(place) {
  const made = CHARTS[place.dataset.chart]();
  if (!made || !made.traces.length) {
    Plotly.purge(place);
    place.replaceChildren(element("p", { class: "soft" }, "Nothing to show here: it was not measured."));
    return;
  }
  if (!place.classList.contains("js-plotly-plot")) place.replaceChildren();
  place.setAttribute("role", "img");
  Plotly.react(place, made.traces, made.layout, {
    responsive: true, displaylogo: false, scrollZoom: false, modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions: { format: "svg", filename: place.dataset.chart },
  });
}

function show() {
  for (const place of document.querySelectorAll("[data-chart]")) draw(place);
}

function makeLegend() {
  const row = document.getElementById("legend");
  DATA.optimizers.forEach(({ name, color }, o) => {
    const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = color;
    const button = element("button", { type: "button", "aria-pressed": "true" }, swatch, name);
    button.addEventListener("click", () => {
      if (!hidden.delete(o)) hidden.add(o);
      button.setAttribute("aria-pressed", String(!hidden.has(o)));
      show();
    });
    row.append(button);
  });
}

async function start() {
  const theme = document.getElementById("theme"), root = document.documentElement;
  root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const text = document.getElementById("data").textContent.trim();
  if (text) {
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    DATA = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
    makeLegend();
    show();
  }
  theme.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    if (DATA) show();
  });
  root.dataset.ready = "yes";
}

start();
