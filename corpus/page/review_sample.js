// One sample on the page: its conversation, what is known of it, and the samples most like it.

import { ask, byId, inert, make } from "./review_parts.js";

const ROLES = { user: "User", assistant: "Assistant", system: "System", tool: "Tool" };
const DONE = { keep: "kept", reject: "rejected", edit: "edited" };
const count = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

export function showSample(sample, place, { onUndo }) {
  byId("head").replaceChildren(...head(sample, place, onUndo));
  const conversation = byId("conversation");
  conversation.replaceChildren(...changes(sample), ...sample.turns.map((one) => turn(sample.id, one)), ...rest(sample));
  showFacts(sample);
}

function head(sample, place, onUndo) {
  const parts = [make("h2", { text: `${place.number} of ${place.total}` }), make("span", { text: count(sample.n_turns, "message") })];
  if (sample.is_doubtful) parts.push(make("span", { class: "tag", text: "doubtful" }));
  if (sample.is_planned) parts.push(make("span", { class: "tag", text: "in the sampling plan" }));
  if (sample.edited_from.length) parts.push(make("span", { class: "tag", text: "edited by another reviewer" }));
  if (sample.verdict) parts.push(verdict(sample, onUndo));
  return parts;
}

function verdict(sample, onUndo) {
  const box = make("div", { class: `verdict ${sample.verdict}` }, make("b", { text: `You ${DONE[sample.verdict]} this` }));
  if (sample.reason) box.append(make("span", { dir: "auto", text: sample.reason }));
  box.append(make("button", { type: "button", class: "text", text: "Take back", onclick: onUndo }));
  if (!sample.is_on_branch) box.append(make("span", { class: "others", text: "Somebody has deleted its line on the branch." }));
  for (const one of sample.others) {
    const said = `${one.reviewer} ${DONE[one.verdict]} it${one.reason ? `: ${one.reason}` : ""}`;
    box.append(make("span", { class: "others", dir: "auto", text: said }));
  }
  return box;
}

function changes(sample) {
  const edits = [["What you changed", sample.changes], ["What another reviewer changed", sample.edited_from]];
  return edits.filter(([, some]) => some.length).map(([title, some]) =>
    make("details", { class: "beside" }, make("summary", { text: title }), ...some.map(diffTurn)));
}

/** A turn with its words removed and added. */
export const diffTurn = (one) =>
  make("section", { class: `turn ${one.role}` },
    make("p", { class: "role", text: ROLES[one.role] ?? one.role }),
    make("div", { class: "text diff", dir: "auto" }, inert(one.html)));

export function turn(sampleId, one) {
  const text = make("div", { class: "text", dir: "auto" }, inert(one.html));
  const body = make("div", {}, text);
  if (sampleId && one.n_more) body.append(moreOfTurn(sampleId, one, text));
  for (const other of one.beside) {
    const title = `Beside it: another reply${other.opinion ? `, ${other.opinion}` : ""}`;
    body.append(make("details", { class: "beside" }, make("summary", { text: title }),
      make("div", { class: "text", dir: "auto" }, inert(other.html))));
  }
  return make("section", { class: `turn ${one.role}`, "data-turn": one.turn, "aria-label": ROLES[one.role] ?? one.role },
    make("p", { class: "role", "aria-hidden": "true", text: ROLES[one.role] ?? one.role }), body);
}

function moreOfTurn(sampleId, one, text) {
  let shown = one.n_characters - one.n_more;
  const button = make("button", { type: "button", class: "text more" });
  const label = (n) => { button.textContent = `Show more of this message (${count(n, "character")} left)`; };
  label(one.n_more);
  button.addEventListener("click", async () => {
    const passage = await ask(`samples/${sampleId}/passage`, { turn: one.turn, start: shown });
    text.append(inert(passage.html));
    shown = one.n_characters - passage.n_more;
    if (passage.n_more) label(passage.n_more); else button.remove();
  });
  return button;
}

/** What of a long conversation is not shown yet, and its end. */
function rest(sample) {
  const shown = sample.turns.length + sample.last_turns.length;
  if (shown >= sample.n_turns) return sample.last_turns.map((one) => turn(sample.id, one));
  let next = sample.turns.length;
  const end = sample.n_turns - sample.last_turns.length;
  const between = make("div", { class: "between" });
  const button = make("button", { type: "button", class: "text" });
  const label = () => { button.textContent = `Show more of the ${count(end - next, "message")} in between`; };
  label();
  button.addEventListener("click", async () => {
    const some = await ask(`samples/${sample.id}/turns`, { start: next, n: Math.min(40, end - next) });
    between.before(...some.map((one) => turn(sample.id, one)));
    next += some.length;
    if (next < end) label(); else between.remove();
  });
  between.append(button);
  return [between, ...sample.last_turns.map((one) => turn(sample.id, one))];
}

function showFacts(sample) {
  const parts = [
    make("p", { class: "rating" }, make("b", { text: sample.rating.toFixed(1) }), make("span", { class: "quiet", text: "of 10, says the judge" })),
  ];
  if (sample.acceptance != null) parts.push(make("p", { class: "sureness", text: sureness(sample.acceptance) }));
  if (sample.criteria.length) parts.push(make("h3", { text: "Why" }), criteria(sample.criteria));
  parts.push(make("h3", { text: "Redacted" }), sample.redactions.length
    ? make("p", { class: "tags" }, ...sample.redactions.map((one) => make("span", { class: "tag", text: `${one.name.toLowerCase().replaceAll("_", " ")} ${one.value}` })))
    : make("p", { text: "nothing" }));
  const facts = make("dl", { class: "facts" });
  for (const one of sample.facts) facts.append(make("dt", { text: one.name }), make("dd", { text: one.value }));
  parts.push(make("h3", { text: "Where it comes from" }), facts, make("h3", { text: "Id" }), make("p", { class: "id", text: sample.id }));
  byId("about").replaceChildren(...parts);
  byId("about").setAttribute("aria-label", "About this sample");
}

/** A probability as people say it. */
function sureness(acceptance) {
  const tenths = Math.round(acceptance * 10);
  if (tenths >= 10) return "Reviewers almost always keep such a one.";
  if (tenths <= 0) return "Reviewers almost never keep such a one.";
  return `Reviewers keep such a one about ${tenths} times out of 10.`;
}

function criteria(list) {
  const box = make("dl", { class: "criteria" });
  for (const one of list) {
    const bar = make("i");
    bar.style.width = `${Math.max(0, Math.min(100, ((one.value - 1) / 9) * 100))}%`;
    box.append(make("dt", { text: one.name }), make("div", { class: "track", "aria-hidden": "true" }, bar), make("dd", { text: one.value.toFixed(1) }));
  }
  return box;
}

/** The most alike samples, one at a time beside the one that is read. */
export function showNeighbours(neighbours, onGo) {
  const about = byId("about");
  about.setAttribute("aria-label", "Samples most like this one");
  if (!neighbours.length) {
    about.replaceChildren(make("h2", { text: "Nothing alike" }), make("p", { class: "quiet", text: "No other sample of this night shares more than a tenth of its words." }));
    return;
  }
  const body = make("div");
  const tabs = neighbours.map((one, n) => make("button", { type: "button", text: `${Math.round(one.shared * 100)} % alike`, onclick: () => choose(n) }));
  const choose = (n) => {
    tabs.forEach((tab, k) => tab.setAttribute("aria-pressed", k === n));
    const one = neighbours[n];
    const left = one.n_turns - one.turns.length;
    body.replaceChildren(...one.turns.map((each) => turn(null, each)),
      make("p", { class: "between" }, left ? `${count(left, "more message")}. ` : "", make("button", { type: "button", class: "text", text: "Go to this sample", onclick: () => onGo(one.id) })));
  };
  about.replaceChildren(make("h2", { text: "Most alike in this night" }), make("p", { class: "quiet", text: "By the words that both have; rare words weigh more." }),
    make("div", { class: "tabs" }, ...tabs), body);
  choose(0);
}
