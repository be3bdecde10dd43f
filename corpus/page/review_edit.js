// Editing a sample: its turns as text, then what would change, then the decision.

import { ask, byId, make, order, Refused } from "./review_parts.js";
import { diffTurn } from "./review_sample.js";

export class Edit {
  /** @param onDone is told the texts that were changed, by turn; null when the edit was given up. */
  constructor(sample, onDone) {
    this.sample = sample;
    this.onDone = onDone;
    this.before = new Map();
    this.fields = new Map();
    this.isShowingChanges = false;
  }

  async begin() {
    const turns = [...this.sample.turns, ...this.sample.last_turns];
    const sources = await Promise.all(turns.map((one) => ask(`samples/${this.sample.id}/source`, { turn: one.turn })));
    turns.forEach((one, n) => {
      this.before.set(one.turn, sources[n].text);
      this.fields.set(one.turn, this.field(one, sources[n].text));
    });
    this.write();
    const last = turns.findLast((one) => one.role === "assistant") ?? turns.at(-1);
    const field = this.fields.get(last.turn);
    field.focus({ preventScroll: true });
    field.setSelectionRange(0, 0);
    field.scrollIntoView({ block: "center" });
  }

  field(one, text) {
    const field = make("textarea", { class: "source", dir: "auto", spellcheck: "true", rows: Math.min(24, text.split("\n").length + 1), "aria-label": `${one.role}, message ${one.turn + 1}` });
    field.value = text;
    return field;
  }

  write() {
    this.isShowingChanges = false;
    byId("edit-on").firstElementChild.textContent = "See the changes";
    byId("edit-back").firstElementChild.textContent = "Cancel";
    const turns = [...this.sample.turns, ...this.sample.last_turns];
    byId("conversation").replaceChildren(...turns.map((one) =>
      make("section", { class: `turn ${one.role}` }, make("p", { class: "role", text: one.role[0].toUpperCase() + one.role.slice(1) }), this.fields.get(one.turn))));
  }

  /** The texts that differ from what they were. A text area has no carriage returns; a text that had some is not changed by that. */
  texts() {
    const changed = [...this.fields].filter(([turn, field]) => field.value !== this.before.get(turn).replace(/\r\n?/g, "\n"));
    return Object.fromEntries(changed.map(([turn, field]) => [turn, field.value]));
  }

  get isDirty() {
    return Object.keys(this.texts()).length > 0;
  }

  /** Shows the changes; when they are shown, takes them. */
  async on() {
    if (this.isShowingChanges) return this.onDone(this.texts());
    if (!this.isDirty) throw new Refused("Nothing is changed yet.");
    const { changes } = await order("diff", { id: this.sample.id, texts: this.texts() });
    this.isShowingChanges = true;
    byId("edit-on").firstElementChild.textContent = "Keep it with these changes";
    byId("edit-back").firstElementChild.textContent = "Back to editing";
    byId("conversation").replaceChildren(make("h2", { text: "What changes" }), ...changes.map(diffTurn));
    byId("conversation").focus();
    window.scrollTo(0, 0);
  }

  async back() {
    if (!this.isShowingChanges) return this.onDone(null);
    this.write();
    this.fields.get([...this.fields.keys()].at(-1)).focus();
  }
}
