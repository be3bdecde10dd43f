// The review page: what is read, what is decided, and the keys. Everything that counts is kept by the server.

import { Edit } from "./review_edit.js";
import { List } from "./review_list.js";
import { ask, byId, make, order } from "./review_parts.js";
import { showNeighbours, showSample } from "./review_sample.js";

const REASONS = [
  "is wrong", "is harmful", "gives away something private", "only advertises",
  "teaches nothing", "was not meant to be published",
]; // as the corpus's CONTRIBUTING.md says
const FILTERS = {
  all: ["All", () => true],
  undecided: ["Undecided", (row) => !row.verdict],
  doubtful: ["Doubtful", (row) => row.is_doubtful],
  planned: ["Sampling plan", (row) => row.is_planned],
  rejected: ["Rejected", (row) => row.verdict === "reject"],
  edited: ["Edited", (row) => row.verdict === "edit"],
};
const KEYS = [
  ["k", "keep"], ["r", "reject, with a reason"], ["e", "edit"], ["s", "skip to the next undecided"],
  ["u", "undo, also what is saved"], ["n", "next doubtful one that is undecided"], ["c", "compare with the most alike"],
  ["j →", "next in the list"], ["h ←", "previous in the list"], ["/", "search"], ["w", "save to the corpus"], ["?", "this help"],
];
const KEPT_VIEWS = 12; // samples read ahead or just left; a view has some tens of kilobytes
const DONE = { keep: "Kept", reject: "Rejected", edit: "Edited" };

const state = { night: null, rows: [], shown: [], at: null, sample: null, found: null, edit: null, isComparing: false };
const views = new Map();
const list = new List((id) => act(() => go(id)));

// What is shown.

const rowOf = (id) => state.rows.find((row) => row.id === id);

function take(overview) {
  state.night = overview;
  state.rows = overview.samples;
  views.clear();
  byId("night").replaceChildren(...nightName(overview.night));
  document.title = `Review ${overview.night} · Gristmill`;
  const filter = byId("filter");
  const chosen = filter.value || "all";
  filter.replaceChildren(...Object.entries(FILTERS).map(([value, [label, test]]) =>
    make("option", { value, text: `${label} ${state.rows.filter(test).length.toLocaleString("en")}` })));
  filter.value = chosen;
  showProgress(overview.progress);
  showList();
}

/** "Night of 7 November 2026"; where it is narrow, "7 November". */
function nightName(night) {
  const day = new Date(`${night}T12:00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "long", timeZone: "UTC" });
  return [make("span", { class: "wide-only", text: "Night of " }), day, make("span", { class: "wide-only", text: ` ${night.slice(0, 4)}` })];
}

function showProgress(progress) {
  state.night.progress = progress;
  const left = progress.n_samples - progress.n_decided;
  byId("progress").max = Math.max(1, progress.n_samples);
  byId("progress").value = progress.n_decided;
  byId("left").textContent = left
    ? `${progress.n_decided.toLocaleString("en")} decided, ${left.toLocaleString("en")} left`
    : `All ${progress.n_samples.toLocaleString("en")} decided`;
  const save = byId("save");
  save.disabled = !progress.n_unsaved;
  save.classList.toggle("waits", progress.n_unsaved > 0);
  save.textContent = progress.n_unsaved ? `Save ${progress.n_unsaved.toLocaleString("en")}` : "Saved";
  for (const option of byId("filter").options) {
    const [label, test] = FILTERS[option.value];
    option.textContent = `${label} ${state.rows.filter(test).length.toLocaleString("en")}`;
  }
}

function showList() {
  const [, test] = FILTERS[byId("filter").value];
  state.shown = state.rows.filter((row) => test(row) && (!state.found || state.found.has(row.id)));
  const damaged = state.night.n_damaged ? ` ${state.night.n_damaged} lines of the branch cannot be read.` : "";
  const isAll = state.shown.length === state.rows.length;
  byId("found").textContent = (isAll ? "Most doubtful first" : `${state.shown.length.toLocaleString("en")} of ${state.rows.length.toLocaleString("en")}`) + damaged;
  list.show(state.shown, state.at);
}

const say = (text) => { byId("said").textContent = text; };

function warn(text, onRetry) {
  byId("alert").replaceChildren(...(text ? [make("span", { text }),
    make("button", { type: "button", class: "text", text: onRetry ? "Try again" : "Close", onclick: () => { warn(""); onRetry?.(); } })] : []));
}

async function view(id) {
  if (!views.has(id)) {
    views.set(id, ask(`samples/${id}`));
    views.get(id).catch(() => views.delete(id));
    if (views.size > KEPT_VIEWS) views.delete(views.keys().next().value);
  }
  return views.get(id);
}

async function go(id, { isFocused = true } = {}) {
  const sample = await view(id);
  state.at = id;
  state.sample = sample;
  showSample(sample, { number: state.rows.findIndex((row) => row.id === id) + 1, total: state.rows.length }, { onUndo: () => act(takeBack) });
  history.replaceState(null, "", `#${id}`);
  list.mark(id);
  closeList();
  window.scrollTo(0, 0);
  if (isFocused) byId("conversation").focus({ preventScroll: true });
  if (state.isComparing) await compare();
  const next = ahead((row) => !row.verdict);
  if (next) view(next.id).catch(() => {}); // read ahead; a failure shows when it is asked for
}

function showNothing() {
  state.at = state.sample = null;
  byId("head").replaceChildren();
  byId("about").replaceChildren();
  byId("conversation").replaceChildren(make("div", { class: "nothing" }, make("h2", { text: "Nothing here" }), make("p", { text: "No sample is like this; search for something else, or show all." })));
}

// Moving.

/** The next row of the list after the present one that passes, else the first that does. */
function ahead(test) {
  const at = state.shown.findIndex((row) => row.id === state.at);
  return [...state.shown.slice(at + 1), ...state.shown.slice(0, Math.max(0, at))].find(test);
}

async function step(by) {
  const at = state.shown.findIndex((row) => row.id === state.at);
  const row = state.shown[at + by];
  if (row) await go(row.id);
  else say(by > 0 ? "This is the last one." : "This is the first one.");
}

async function onward(test, nothing) {
  const row = ahead(test);
  if (row) await go(row.id);
  else say(nothing);
}

const skip = () => onward((row) => !row.verdict, "Nothing else is undecided here.");
const nextDoubtful = () => onward((row) => row.is_doubtful && !row.verdict, "No doubtful one is left here.");

// Deciding.

function moved({ row, progress }) {
  views.delete(row.id);
  Object.assign(rowOf(row.id), row);
  showProgress(progress);
  list.draw();
}

async function decide(verdict, facts = {}) {
  if (!state.sample) return;
  const id = state.at;
  moved(await order("decide", { id, verdict, ...facts }));
  const { n_samples: n, n_decided: done } = state.night.progress;
  const next = ahead((row) => !row.verdict);
  if (next) await go(next.id);
  else await go(id);
  say(n > done ? `${DONE[verdict]}. ${(n - done).toLocaleString("en")} left.` : `${DONE[verdict]}. That was the last one: save, then finish.`);
}

async function undo() {
  const answer = await order("undo", { id: state.at ?? "" });
  if (!answer.row) return say("There is nothing to undo.");
  moved(answer);
  await go(answer.row.id);
  say(answer.row.verdict ? "Undone: it is as you had it before." : "Undone: it is undecided again.");
}

/** Takes back what was said of the sample that is shown. */
async function takeBack() {
  moved(await order("decide", { id: state.at, verdict: null }));
  await go(state.at);
  say("Taken back: it is undecided again.");
}

function askReason() {
  if (!state.sample) return;
  byId("reason").value = "";
  byId("reject").returnValue = "";
  byId("reject").showModal();
  byId("reasons").firstElementChild.focus();
}

async function rejectFor(reason) {
  byId("reject").close();
  await decide("reject", { reason });
}

async function edit() {
  if (!state.sample) return;
  state.edit = new Edit(state.sample, edited);
  byId("deciding").hidden = true;
  byId("editing").hidden = false;
  await state.edit.begin();
  say("Edit the messages as they are stored; Ctrl+Enter shows what changes.");
}

async function edited(texts) {
  if (texts) await decideEdit(texts);
  else await leaveEdit(state.at);
}

async function decideEdit(texts) {
  const id = state.at;
  moved(await order("decide", { id, verdict: "edit", texts }));
  await leaveEdit((ahead((row) => !row.verdict) ?? { id }).id);
  say(`Edited. ${(state.night.progress.n_samples - state.night.progress.n_decided).toLocaleString("en")} left.`);
}

async function leaveEdit(id) {
  state.edit = null;
  byId("deciding").hidden = false;
  byId("editing").hidden = true;
  say("");
  await go(id);
}

// Comparing, saving, finishing.

async function compare() {
  const id = state.at;
  const neighbours = await ask(`samples/${id}/neighbours`);
  if (id === state.at && state.isComparing) showNeighbours(neighbours, (other) => act(() => go(other)));
}

async function toggleCompare() {
  state.isComparing = !state.isComparing;
  document.body.classList.toggle("comparing", state.isComparing);
  document.querySelector('[data-key="c"]').setAttribute("aria-pressed", state.isComparing);
  if (state.isComparing) {
    await compare();
    if (matchMedia("(max-width: 1180px)").matches) byId("about").scrollIntoView();
  } else if (state.at) await go(state.at);
}

async function save() {
  if (!state.night.progress.n_unsaved) return say("Everything is saved.");
  say("Saving …");
  try {
    const { message, overview } = await order("save");
    take(overview);
    warn("");
    await go(rowOf(state.at) ? state.at : state.rows[0].id);
    say(message);
  } catch (error) {
    say("");
    warn(error.message, () => act(save));
  }
}

async function finish() {
  say("Saving …");
  try {
    const { message } = await order("finish");
    document.body.replaceChildren(make("main", { class: "nothing" }, make("h2", { text: "Done. Thank you." }), make("p", { text: `${message}. You can close this tab.` })));
  } catch (error) {
    say("");
    warn(error.message, () => act(finish));
  }
}

// The list on a narrow screen.

function openList() {
  byId("list").classList.add("is-open");
  byId("open-list").setAttribute("aria-expanded", "true");
  list.mark(state.at);
  byId("search").focus();
}

function closeList() {
  byId("list").classList.remove("is-open");
  byId("open-list").setAttribute("aria-expanded", "false");
}

let searching = 0;
async function search() {
  const text = byId("search").value.trim();
  const mine = ++searching;
  const found = text ? new Set((await ask("search", { text })).ids) : null;
  if (mine !== searching) return; // a later search has begun
  state.found = found;
  showList();
}

// Keys and buttons.

const ORDERS = {
  k: () => decide("keep"), r: askReason, e: edit, s: skip, u: undo, n: nextDoubtful, c: toggleCompare,
  j: () => step(1), ArrowRight: () => step(1), h: () => step(-1), ArrowLeft: () => step(-1),
  w: save, "/": () => { if (matchMedia("(max-width: 760px)").matches) openList(); byId("search").focus(); byId("search").select(); },
  "?": () => byId("help").showModal(),
};

const MOVES = new Set(["j", "h", "ArrowRight", "ArrowLeft"]);

let isBusy = false;
/** Runs one order at a time and shows what it refuses. */
async function act(order) {
  if (isBusy) return;
  isBusy = true;
  try {
    await order();
  } catch (error) {
    warn(error.message);
  } finally {
    isBusy = false;
  }
}

function onKey(event) {
  if (state.edit) return editKey(event);
  if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, textarea, select")) return;
  if (event.key === "Escape") return closeList();
  const order = ORDERS[event.key];
  if (!order || (event.repeat && !MOVES.has(event.key))) return; // a key held down decides once
  event.preventDefault();
  act(order);
}

function editKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    act(() => state.edit.on());
  } else if (event.key === "Escape") {
    event.preventDefault();
    act(() => state.edit.back());
  }
}

function reasonKey(event) {
  if (event.target.id === "reason") {
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      act(() => rejectFor(byId("reason").value));
    }
  } else if (REASONS[event.key - 1]) {
    event.preventDefault();
    act(() => rejectFor(REASONS[event.key - 1]));
  } else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey) {
    byId("reason").focus(); // the key is typed there
  }
}

function connect() {
  for (const button of document.querySelectorAll("[data-key]")) {
    const key = button.dataset.key;
    button.setAttribute("aria-keyshortcuts", key);
    button.append(make("kbd", { text: key, "aria-hidden": "true" }));
    button.addEventListener("click", () => act(ORDERS[key]));
  }
  byId("reasons").replaceChildren(...REASONS.map((reason, n) => {
    const button = make("button", { type: "button", "aria-keyshortcuts": n + 1, onclick: () => act(() => rejectFor(reason)) });
    button.append(make("kbd", { text: n + 1, "aria-hidden": "true" }), reason);
    return button;
  }));
  for (const [keys, text] of KEYS) {
    const name = make("dt", {}, ...keys.split(" ").map((key) => make("kbd", { text: key })));
    byId("keys").append(name, make("dd", { text }));
  }
  const on = (id, event, order) => byId(id).addEventListener(event, order);
  on("save", "click", () => act(save));
  on("finish", "click", () => act(finish));
  on("open-help", "click", () => byId("help").showModal());
  on("open-list", "click", openList);
  on("close-list", "click", closeList);
  on("filter", "change", () => { showList(); if (!state.shown.some((row) => row.id === state.at) && state.shown[0]) act(() => go(state.shown[0].id, { isFocused: false })); });
  on("search", "input", () => search().catch((error) => warn(error.message)));
  on("search", "keydown", (event) => {
    if (event.key === "Enter" && state.shown[0]) act(() => go(state.shown[0].id));
    if (event.key === "Escape") { byId("search").value = ""; search(); byId("conversation").focus(); closeList(); }
  });
  on("reject", "keydown", reasonKey);
  on("reject-cancel", "click", () => byId("reject").close());
  byId("reject").querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); act(() => rejectFor(byId("reason").value)); });
  on("edit-on", "click", () => act(() => state.edit.on()));
  on("edit-back", "click", () => act(() => state.edit.back()));
  document.addEventListener("keydown", onKey);
  window.addEventListener("beforeunload", (event) => { if (state.edit?.isDirty) event.preventDefault(); });
}

connect();
await act(async () => {
  take(await ask("night"));
  const wanted = location.hash.slice(1);
  const first = rowOf(wanted) ?? state.rows.find((row) => !row.verdict) ?? state.rows[0];
  if (first) await go(first.id, { isFocused: false });
  else showNothing();
});
document.body.dataset.ready = "true";
