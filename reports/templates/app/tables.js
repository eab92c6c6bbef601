// Tables. All text is set as text, so that a name with markup in it is only a name.
function element(kind, attributes = {}, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function optimizerHead(o) {
  const { name, color } = DATA.optimizers[o];
  const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.background = color;
  return element("th", { scope: "row" }, swatch, name);
}

// The number that a cell begins with; words such as 'missed' and what is not there come after all numbers.
function sortKey(text) {
  const number = text.replace(/^[<≤]/, "").replace(/(\d) (?=\d{3})/g, "$1").match(/^[+-]?[\d.]+(?:e[+-]?\d+)?/i);
  if (number && text.startsWith("<")) return Number(number[0]) * (1 - 1e-6);
  return number ? Number(number[0]) : text === "–" || text === "" ? Infinity : Number.MAX_VALUE;
}

function sorted(rows, key) {
  if (!key) return rows;
  const descending = key.startsWith("-");
  const head = descending ? key.slice(1) : key;
  return [...rows].sort((a, b) => {
    const [one, other] = [a.texts[head] ?? "", b.texts[head] ?? ""];
    const [x, y] = [sortKey(one), sortKey(other)];
    if (x === Infinity || y === Infinity) return x === y ? 0 : x - y > 0 ? 1 : -1;
    const order = x === y ? (x === Number.MAX_VALUE ? one.localeCompare(other) : 0) : x < y ? -1 : 1;
    return descending ? -order : order;
  });
}

function sortableHead(table, head, key) {
  const [name, below] = Array.isArray(head) ? head : [head, ""];
  const id = `${table}/${name}`;
  const direction = key === name ? "ascending" : key === `-${name}` ? "descending" : null;
  const button = element("button", { type: "button", "data-sort": id }, name);
  button.addEventListener("click", () => {
    const next = direction === null ? id : direction === "ascending" ? `-${id}` : "";
    change({ sort: next });
    document.querySelector(`[data-sort="${CSS.escape(id)}"]`)?.focus();
  });
  const cell = element("th", { scope: "col", "aria-sort": direction, class: name === "optimizer" || name.startsWith("setting") ? "left" : null }, button);
  if (below) cell.append(element("small", {}, below));
  return cell;
}

// A table of optimizers: heads, and rows of {optimizer, texts by head, cells to append, class}.
function optimizerTable(id, heads, rows) {
  const [table, asked] = [state.sort.replace(/^-/, "").split("/")[0], state.sort.replace(/^(-?)[^/]*\//, "$1")];
  const key = table === id ? asked : "";
  const made = element("table", { id: `table-${id}` });
  made.append(element("thead", {}, element("tr", {}, ...heads.map((head) => sortableHead(id, head, key)))));
  const body = element("tbody");
  let before = null;
  for (const row of sorted(rows, key)) {
    const starts = !key && before !== null && row.tier !== before;
    before = row.tier;
    const line = element("tr", { class: [row.class, starts ? "first" : ""].filter(Boolean).join(" ") || null });
    for (const cell of row.cells) line.append(cell);
    body.append(line);
  }
  made.append(body);
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `table ${id}` }, made);
}

function boardTable(board) {
  const rows = board.rows.map((row) => ({
    tier: row.tier,
    class: [row.tier === 1 ? "lead" : row.ranked ? "" : "unranked", DATA.newcomers.includes(row.optimizer) ? "newcomer" : ""].join(" ").trim(),
    texts: Object.fromEntries(board.heads.map((head, i) => [head, row.cells[i]])),
    cells: board.heads.map((head, i) => {
      if (head !== "optimizer") return element("td", {}, row.cells[i]);
      const cell = optimizerHead(row.optimizer);
      cell.lastChild.textContent = row.cells[i];
      return cell;
    }),
  }));
  return optimizerTable(board.name, board.heads, rows);
}

function taskTable(board, part) {
  const heads = ["optimizer", ...part.heads.map((task, t) => [task, part.below[t]])];
  const rows = part.rows.map((row) => ({
    tier: 0,
    class: "",
    texts: Object.fromEntries([
      ["optimizer", DATA.optimizers[row.optimizer].name],
      ...part.heads.map((task, t) => [task, row.cells[t][0]]),
    ]),
    cells: [
      optimizerHead(row.optimizer),
      ...row.cells.map(([value, below, best]) => {
        const cell = element("td", { class: best ? "best" : null }, value);
        if (below) cell.append(element("small", {}, below));
        return cell;
      }),
    ],
  }));
  return optimizerTable(`${board.name}-${board.by_task.indexOf(part)}`, heads, rows);
}

function showBoards(place) {
  place.replaceChildren();
  for (const board of view().boards) {
    place.append(element("h2", {}, `${capital(board.name)}: ${board.subject}`), element("p", {}, board.answer));
    place.append(boardTable(board));
    board.by_task.forEach((part, i) => {
      place.append(folded(`${board.name}-${i}`, `By task: ${part.label}`, taskTable(board, part)));
    });
    if (board.notes.length) {
      place.append(folded(`${board.name}-notes`, "What the columns are", ...board.notes.map((note) => element("p", { class: "small" }, note))));
    }
  }
}

// Parts to be opened stay open when they are drawn anew.
const opened = new Set();
function folded(id, summary, ...children) {
  const made = element("details", { class: "folded", "data-fold": id }, element("summary", {}, summary), ...children);
  made.open = opened.has(id);
  made.addEventListener("toggle", () => (made.open ? opened.add(id) : opened.delete(id)));
  return made;
}

function showAnswers(place) {
  place.replaceChildren(
    ...view().boards.map((board) =>
      element(
        "div", { class: "answer", id: `answer-${board.name}` }, element("h3", {}, capital(board.name)),
        element("div", { class: "small soft" }, board.subject), element("p", {}, board.answer),
        ...(board.margin ? [element("p", {}, board.margin)] : []),
      ),
    ),
  );
}

// Each text once, with how many replicates have it where they are several.
function counted(texts) {
  return [...new Set(texts)].map((text) => {
    const times = texts.filter((other) => other === text).length;
    return times > 1 ? `${text} (${times} replicates)` : text;
  });
}

// What the replicates chose on one task.
function showChosen(place) {
  const task = taskShown();
  const by = state.board === "optimization" ? "train" : "valid";
  const rows = shownOptimizers().filter((o) => task.chosen[by][o].length).map((o) => ({
    tier: 0,
    class: "",
    texts: { optimizer: DATA.optimizers[o].name, "settings chosen": task.chosen[by][o][0] },
    cells: [optimizerHead(o), element("td", { class: "wide" }, counted(task.chosen[by][o]).join("  |  "))],
  }));
  place.replaceChildren(optimizerTable("chosen", ["optimizer", "settings chosen"], rows));
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function taskShown() {
  return DATA.tasks.find((task) => task.name === state.task) ?? DATA.tasks[0];
}
