// The list of samples: only the rows in sight are in the document, so ten thousand cost what twenty do.

import { byId, make } from "./review_parts.js";

const ROW_PIXELS = 60; // as .row in review.css
const SPARE_ROWS = 6;
const SIGNS = { keep: ["✓", "kept"], reject: ["✕", "rejected"], edit: ["✎", "edited"] };

export class List {
  /** @param onChoose is told the sample of a row that was chosen. */
  constructor(onChoose) {
    this.rows = [];
    this.current = null;
    this.box = byId("rows");
    this.space = byId("row-space");
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(this.box);
    this.space.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-id]");
      if (button) onChoose(button.dataset.id);
    });
  }

  show(rows, current) {
    this.rows = rows;
    this.space.style.height = `${rows.length * ROW_PIXELS}px`;
    this.mark(current);
  }

  /** Marks the sample that is read, and brings its row into sight. */
  mark(id) {
    this.current = id;
    const at = this.rows.findIndex((row) => row.id === id);
    const top = at * ROW_PIXELS;
    if (at >= 0 && (top < this.box.scrollTop || top + ROW_PIXELS > this.box.scrollTop + this.box.clientHeight))
      this.box.scrollTop = top - this.box.clientHeight / 3;
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW_PIXELS) - SPARE_ROWS);
    const n = Math.ceil(this.box.clientHeight / ROW_PIXELS) + 2 * SPARE_ROWS;
    const focused = this.space.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    this.space.replaceChildren(...this.rows.slice(first, first + n).map((row, k) => this.row(row, first + k)));
    if (focused) this.space.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  row(row, at) {
    const [sign, said] = SIGNS[row.verdict] ?? ["", "undecided"];
    const item = make("li", { class: row.verdict ? "row decided" : "row", "aria-setsize": this.rows.length, "aria-posinset": at + 1 },
      make("button", { type: "button", "data-id": row.id, "aria-current": row.id === this.current && "true" },
        make("b", { class: row.is_doubtful && "doubtful", text: row.rating.toFixed(1), title: row.is_doubtful ? "doubtful" : undefined }),
        make("span", { class: "opening", dir: "auto", text: row.opening || "(no words)" }),
        make("span", { class: `sign ${row.verdict ?? ""}`, text: sign, "aria-hidden": "true" }),
        make("span", { class: "unseen", text: `${row.is_doubtful ? "doubtful, " : ""}${said}` })));
    item.style.top = `${at * ROW_PIXELS}px`;
    return item;
  }
}
