// What is being looked at, kept in the address, so that a link shows the same. Only what differs from USUAL is written.
let DATA = null;
const TABS = [...document.querySelectorAll('[role="tab"]')].map((tab) => tab.dataset.tab);
const USUAL = {
  tab: TABS[0], board: "optimization", budget: "100", task: "", metric: "loss", split: "train", x: "evaluations",
  logx: "0", logy: "1", bands: "1", theme: "", chosen: "", sort: "", quantity: "sharpness",
};
const state = { ...USUAL };

function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const key of Object.keys(USUAL)) state[key] = asked.get(key) ?? USUAL[key];
  const known = {
    tab: TABS, board: ["optimization", "generalization"], metric: ["loss", "own"], split: ["train", "valid", "test"],
    x: ["evaluations", "seconds", "share"], quantity: ["sharpness", "gradient", "ratio", "alignment", "distance", "path"], theme: ["", "light", "dark"],
    budget: DATA.shares.map(percent), task: ["", ...DATA.tasks.map((task) => task.name)],
  };
  for (const [key, values] of Object.entries(known)) if (!values.includes(state[key])) state[key] = USUAL[key];
  if (!known.budget.includes(state.budget)) state.budget = known.budget.at(-1);
}

function writeAddress() {
  const said = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) if (value !== USUAL[key]) said.set(key, value);
  const hash = said.toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
}

function percent(share) {
  return String(Math.round(100 * share));
}

// The view of the budget that the dial stands at.
function viewIndex() {
  return Math.max(0, DATA.shares.findIndex((share) => percent(share) === state.budget));
}

function view() {
  return DATA.views[viewIndex()];
}

// Evaluation points of a task within the budget that the dial stands at.
function pointsWithin(task) {
  return task.share.filter((share) => share <= DATA.shares[viewIndex()] + 1e-6).length;
}

// The optimizers shown in colour: those chosen, or the foremost of the run.
function shownOptimizers() {
  const every = DATA.optimizers.map((_, o) => o);
  if (state.chosen === "all") return every;
  if (state.chosen) {
    const names = new Set(JSON.parse(state.chosen));
    return every.filter((o) => names.has(DATA.optimizers[o].name));
  }
  return DATA.foremost;
}

function choose(optimizers) {
  const every = DATA.optimizers.length;
  if (optimizers === null) state.chosen = "";
  else if (optimizers.length === every) state.chosen = every === DATA.foremost.length ? "" : "all";
  else state.chosen = JSON.stringify(optimizers.map((o) => DATA.optimizers[o].name));
}

// A link may hold anything.
function checkChosen() {
  if (!state.chosen || state.chosen === "all") return;
  try {
    const names = JSON.parse(state.chosen);
    if (!Array.isArray(names)) throw new Error("not a list");
  } catch {
    state.chosen = "";
  }
}
