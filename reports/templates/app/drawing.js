// What all charts share: colours of the theme, axes, panels, lines and markers of optimizers.
const GREY = "#9aa1a8";

// Plotly reads a few tags in texts: a name with markup in it is only a name.
function plain(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("%{", "%&#123;");
}

function colors() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return { ink: read("--ink"), soft: read("--soft"), line: read("--line"), page: read("--page"), lead: read("--lead") };
}

function axis(title, more = {}) {
  const c = colors();
  return {
    title: { text: title, font: { size: 12 }, standoff: 6 }, gridcolor: c.line, zerolinecolor: c.line, linecolor: c.line,
    tickfont: { size: 11, color: c.soft }, automargin: true, ...more,
  };
}

// A logarithmic axis over a range in decades.
function logAxis(title, range, more = {}) {
  return fit(axis(title, { type: "log", ...more }), range);
}

// Gives an axis its range; a logarithmic one few ticks with plain numbers.
function fit(made, range) {
  made.range = range;
  if (made.type === "log") {
    made.tickvals = logTicks(range);
    made.ticktext = made.tickvals.map(tickText);
  }
  return made;
}

function logTicks([low, high]) {
  const within = (values) => values.filter((value) => Math.log10(value) >= low - 1e-9 && Math.log10(value) <= high + 1e-9);
  const span = high - low;
  const first = Math.floor(low), count = Math.ceil(high) - first + 1;
  if (span > 1.6) {
    const every = Math.ceil(span / 5);
    return within(Array.from({ length: count }, (_, i) => 10 ** (first + i)).filter((_, i) => (first + i) % every === 0));
  }
  const leads = span > 0.7 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 6, 8];
  const ticks = within(Array.from({ length: count }, (_, i) => leads.map((lead) => lead * 10 ** (first + i))).flat());
  if (ticks.length > 2) return ticks;
  const [from, to] = [10 ** low, 10 ** high];
  const rough = (to - from) / 4, unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((lead) => lead * unit >= rough);
  return Array.from({ length: 7 }, (_, i) => (Math.ceil(from / step) + i) * step).filter((value) => value <= to);
}

function tickText(value) {
  if (value >= 1e-3 && value < 1e5) return String(Number(value.toPrecision(3)));
  const power = Math.floor(Math.log10(value) + 1e-9), lead = Number((value / 10 ** power).toPrecision(2));
  return `${lead === 1 ? "" : `${lead}·`}10<sup>${power}</sup>`;
}

function layout(more) {
  const c = colors();
  return {
    paper_bgcolor: c.page, plot_bgcolor: c.page, font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: c.ink },
    margin: { l: 10, r: 12, t: 28, b: 10 }, showlegend: false, hovermode: "closest", dragmode: false,
    hoverlabel: { namelength: -1, font: { size: 12 } }, ...more,
  };
}

function looks(o) {
  const { name, color, symbol, dash } = DATA.optimizers[o];
  return { name: plain(name), color, symbol, dash };
}

// A line of an optimizer; `every` thins the markers that carry it without colour.
function line(o, x, y, more = {}) {
  const { name, color, symbol, dash } = looks(o);
  const every = Math.max(1, Math.floor(x.length / 6));
  const size = x.map((_, i) => ((i + 2 * o) % every === 0 ? 6 : 0));
  return {
    name, x, y, mode: "lines+markers", line: { color, dash, width: DATA.newcomers.includes(o) ? 3.2 : 1.8 }, marker: { color, symbol, size, opacity: 1, line: { width: 0 } },
    connectgaps: false, ...more,
  };
}

// Several lines as one grey one, so that many cost little.
function greyLines(lines, more = {}) {
  const x = [], y = [];
  for (const one of lines) {
    x.push(...one.x, null);
    y.push(...one.y, null);
  }
  return { x, y, mode: "lines", opacity: 0.45, hoverinfo: "skip", name: "others", connectgaps: false, ...more, line: { color: GREY, width: 1, ...more.line } };
}

function band(o, x, low, high, more = {}) {
  const there = x.map((_, i) => i).filter((i) => x[i] !== null && low[i] !== null && high[i] !== null);
  const xs = there.map((i) => x[i]), up = there.map((i) => high[i]), down = there.map((i) => low[i]);
  return {
    x: [...xs, ...xs.toReversed()], y: [...up, ...down.toReversed()], fill: "toself", mode: "lines", line: { width: 0 },
    fillcolor: DATA.optimizers[o].color, opacity: 0.13, hoverinfo: "skip", ...more,
  };
}

// Dark colours fade on a dark ground.
function faint(opacity) {
  return document.documentElement.dataset.theme === "dark" ? Math.min(1, opacity + 0.3) : opacity;
}

// Rows of optimizers: a marker with its interval, small dots below it.
function rowsOf(order, { mean, low, high, dots, filled = () => true, hover, axes = {}, offset = 0 }) {
  const traces = [];
  const coloured = new Set(shownOptimizers());
  const color = (o) => (coloured.has(o) ? DATA.optimizers[o].color : GREY);
  const place = order.map((_, y) => y);
  if (dots) {
    const all = order.flatMap((o, y) => dots(o).map((x) => ({ x, y: y + 0.3, o }))).filter((dot) => dot.x !== null);
    traces.push({
      x: all.map((dot) => dot.x), y: all.map((dot) => dot.y), mode: "markers", hoverinfo: "skip",
      marker: { size: 4, color: all.map((dot) => color(dot.o)), opacity: faint(0.55) }, ...axes,
    });
  }
  order.forEach((o, y) => {
    if (low && low[o] !== null && high[o] !== null) {
      traces.push({
        x: [low[o], high[o]], y: [y, y], mode: "lines", line: { color: color(o), width: 3 }, opacity: faint(0.65), hoverinfo: "skip", ...axes,
      });
    }
  });
  traces.push({
    x: order.map((o) => mean[o]), y: place, mode: "markers", text: order.map((o) => hover(o)), hovertemplate: "%{text}<extra></extra>",
    marker: {
      size: 10, symbol: order.map((o) => DATA.optimizers[o].symbol + (filled(o) ? "" : "-open")), color: order.map(color), line: { width: 2, color: order.map(color) },
    }, ...axes,
  });
  return traces;
}

// A name on an axis, cut where it would take the chart's place; newcomers stand out.
function label(o) {
  const { name } = DATA.optimizers[o];
  const short = plain(name.length > 28 ? `${name.slice(0, 27)}…` : name);
  return DATA.newcomers.includes(o) ? `<b>${short}</b>` : short;
}

// Pixels that the names of rows take.
function namesWidth(order) {
  return 14 + 8 * Math.max(...order.map((o) => Math.min(DATA.optimizers[o].name.length, 28)), 4);
}

function rowsAxis(order, more = {}, mark = () => "") {
  return axis("", {
    tickvals: order.map((_, y) => y), ticktext: order.map((o) => label(o) + mark(o)), range: [order.length - 0.4, -0.6],
    showgrid: false, zeroline: false, tickfont: { size: 12 }, ...more,
  });
}

// Small multiples: {axes(index), layout parts} for so many panels with titles, as many columns as fit.
function panels(place, titles, height, makeX, makeY) {
  const width = place.clientWidth || 900;
  const columns = Math.max(1, Math.min(titles.length, Math.floor(width / 290)));
  const rows = Math.ceil(titles.length / columns);
  const total = rows * height + 30;
  const [gapX, gapY] = [Math.min(0.055 * 3 / columns, 62 / width), Math.min(62 / total, 0.9 / rows)];
  const [w, h] = [(1 - gapX * (columns - 1)) / columns, (1 - gapY * (rows - 1)) / rows];
  const parts = { annotations: [], height: total, margin: { l: 48, r: 8, t: 26, b: 42 } };
  titles.forEach((title, index) => {
    const [column, row] = [index % columns, Math.floor(index / columns)];
    const id = index ? String(index + 1) : "";
    const [x0, y1] = [column * (w + gapX), 1 - row * (h + gapY)];
    const last = index + columns >= titles.length;
    parts[`xaxis${id}`] = { ...makeX(index, last), domain: [x0, x0 + w], anchor: `y${id}`, automargin: false };
    parts[`yaxis${id}`] = { ...makeY(index, column === 0), domain: [Math.max(0, y1 - h), y1], anchor: `x${id}`, automargin: false };
    parts.annotations.push({
      text: `<b>${plain(title)}</b>`, x: x0, y: y1, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 12 },
    });
  });
  return { parts, axes: (index) => (index ? { xaxis: `x${index + 1}`, yaxis: `y${index + 1}` } : {}) };
}

// A range of a logarithmic axis that holds the values, in decades.
function decades(values, most = Infinity) {
  const there = values.filter((value) => value !== null && value > 0 && value < most);
  if (!there.length) return [-1, 1];
  const [low, high] = [Math.log10(Math.min(...there)), Math.log10(Math.max(...there))];
  const margin = Math.max(0.04, 0.06 * (high - low));
  return [low - margin, high + margin];
}

function short(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return size && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(3)));
}

function between(low, high) {
  return low === null || low === undefined ? "" : ` (${short(low)} to ${short(high)})`;
}

// The budget that the dial stands at, as an upright line.
function budgetLine(x, yref = "paper", xref = "x") {
  const share = DATA.shares[viewIndex()];
  return share >= 1 ? [] : [{ type: "line", x0: x, x1: x, y0: 0, y1: 1, xref, yref, line: { color: colors().soft, width: 1, dash: "dot" } }];
}
