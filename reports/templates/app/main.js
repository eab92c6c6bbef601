// Wiring: controls change the state, and what is visible is drawn from it.
const FILLED = { answers: showAnswers, boards: showBoards, chosen: showChosen, cautions: showCautions, targets: showTargets };

function change(parts) {
  Object.assign(state, parts);
  writeAddress();
  show();
}

function show() {
  const dark = state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  showControls();
  const panel = document.getElementById(`panel-${state.tab}`);
  for (const place of panel.querySelectorAll("[data-fill]")) FILLED[place.dataset.fill](place);
  for (const place of panel.querySelectorAll("[data-chart]")) draw(place);
  for (const place of document.querySelectorAll("[data-fill='cautions']")) showCautions(place);
}

function draw(place) {
  const made = CHARTS[place.dataset.chart](place);
  if (!made || !made.traces.length) {
    Plotly.purge(place);
    place.classList.remove("js-plotly-plot");
    place.replaceChildren(element("p", { class: "soft" }, "Nothing to show here: it was not measured, or there is too little of it."));
    return;
  }
  if (!place.classList.contains("js-plotly-plot")) place.replaceChildren();
  place.setAttribute("role", "img");
  Plotly.react(place, made.traces, made.layout, {
    responsive: true, displaylogo: false, scrollZoom: false,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"], toImageButtonOptions: { format: "svg", filename: place.dataset.chart },
  });
}

function showCautions(place) {
  const share = DATA.shares[viewIndex()];
  place.replaceChildren(...view().cautions.map((caution) => element("li", {}, caution)));
  const told = document.getElementById("shorter");
  told.hidden = share >= 1;
  told.textContent = `Read at ${percent(share)} % of the budget: final runs and searches as they stood there. ` +
    "Settings were tuned for the full budget, and so were found to lie at an edge or not: a tuning for this one could come out better, and for some optimizers more than for others. " +
    "Step and compile times, memory and the error rates of verdicts are those of the full budget.";
}

// On a narrow page the strip of tabs scrolls: the one that is open is to be seen.
function showTab(tab) {
  const strip = tab.parentElement, [inner, outer] = [tab.getBoundingClientRect(), strip.getBoundingClientRect()];
  if (inner.left < outer.left || inner.right > outer.right) strip.scrollLeft += inner.left - outer.left - 8;
}

function showTargets(place) {
  place.textContent = view().targets.own;
}

function showControls() {
  for (const tab of document.querySelectorAll('[role="tab"]')) {
    const on = tab.dataset.tab === state.tab;
    tab.setAttribute("aria-selected", on);
    tab.tabIndex = on ? 0 : -1;
    if (on) showTab(tab);
    document.getElementById(`panel-${tab.dataset.tab}`).hidden = !on;
  }
  for (const control of document.querySelectorAll("[data-state]")) {
    const value = state[control.dataset.state];
    if (control.type === "radio") control.checked = control.value === value;
    else if (control.type === "checkbox") control.checked = value === "1";
    else if (control.type !== "range") control.value = value || control.options?.[0].value || "";
  }
  const dial = document.getElementById("budget");
  dial.value = viewIndex();
  dial.setAttribute("aria-valuetext", `${state.budget} %`);
  document.getElementById("budget-shown").value = `${state.budget} %`;
  const shown = new Set(shownOptimizers());
  document.getElementById("shown-count").textContent = `Optimizers in colour: ${shown.size} of ${DATA.optimizers.length}`;
  for (const button of document.querySelectorAll("[data-optimizer]")) {
    button.setAttribute("aria-pressed", shown.has(Number(button.dataset.optimizer)));
  }
}

function makeChoice() {
  const row = document.getElementById("chips");
  DATA.optimizers.forEach(({ name, color }, o) => {
    const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = color;
    const button = element("button", { type: "button", "data-optimizer": o, "aria-pressed": "true" }, swatch, name);
    button.addEventListener("click", () => {
      const shown = new Set(shownOptimizers());
      if (!shown.delete(o)) shown.add(o);
      choose([...shown].sort((a, b) => a - b));
      change({});
    });
    row.append(button);
  });
  const search = document.getElementById("search");
  search.addEventListener("input", () => {
    const asked = search.value.trim().toLowerCase();
    for (const button of row.children) button.hidden = !button.textContent.toLowerCase().includes(asked);
  });
  const few = DATA.optimizers.length === DATA.foremost.length;
  search.closest("label").hidden = few;
  document.getElementById("choose").open = few && innerWidth > 600;
  document.getElementById("choose-first").textContent = few ? "All" : "The foremost";
  document.getElementById("choose-every").hidden = few;
  const visible = () => [...row.children].filter((button) => !button.hidden).map((button) => Number(button.dataset.optimizer));
  const pick = { first: () => null, every: () => (search.value ? visible() : DATA.optimizers.map((_, o) => o)), none: () => [] };
  for (const [id, picked] of Object.entries(pick)) {
    document.getElementById(`choose-${id}`).addEventListener("click", () => {
      choose(picked());
      change({});
    });
  }
}

function makeControls() {
  for (const control of document.querySelectorAll("[data-state]")) {
    const key = control.dataset.state;
    if (control.tagName === "SELECT" && key === "task") {
      for (const task of DATA.tasks) control.append(element("option", { value: task.name }, task.name));
    }
    control.addEventListener("input", () => {
      if (control.type === "range") change({ [key]: percent(DATA.shares[Number(control.value)]) });
      else if (control.type === "checkbox") change({ [key]: control.checked ? "1" : "0" });
      else change({ [key]: control.value });
    });
  }
  const dial = document.getElementById("budget");
  dial.max = DATA.shares.length - 1;
  dial.closest("label").hidden = DATA.shares.length < 2;
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => change({ tab: tab.dataset.tab }));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = tabs.at(to % tabs.length);
      change({ tab: next.dataset.tab });
      next.focus();
    });
  });
  document.getElementById("theme").addEventListener("click", () => {
    change({ theme: document.documentElement.dataset.theme === "dark" ? "light" : "dark" });
  });
  const link = document.getElementById("link");
  link.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      link.textContent = "Copied";
    } catch {
      link.textContent = "The address is the link";
    }
    setTimeout(() => { link.textContent = "Copy link"; }, 2000);
  });
  addEventListener("hashchange", () => {
    readAddress();
    checkChosen();
    show();
  });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (Math.abs(innerWidth - width) < 40) return;
    width = innerWidth;
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
}

async function start() {
  if (!document.getElementById("data").textContent.trim()) { // a run without results: what there is to say is how it was done
    document.querySelector("nav").hidden = document.getElementById("choose").hidden = true;
    for (const panel of document.querySelectorAll('[role="tabpanel"]')) panel.hidden = panel.id !== "panel-method";
    return;
  }
  const packed = Uint8Array.from(atob(document.getElementById("data").textContent.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  DATA = await new Response(stream).json();
  readAddress();
  checkChosen();
  makeChoice();
  makeControls();
  show();
  document.documentElement.dataset.ready = "yes";
}

start();
