// Elements, requests, and texts of strangers as inert HTML.

/** An element; `text` is text, never markup. */
export function make(tag, facts = {}, ...children) {
  const { text, ...rest } = facts;
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(rest)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  if (text !== undefined) element.textContent = text;
  element.append(...children.filter((child) => child != null));
  return element;
}

export const byId = (id) => document.getElementById(id);

const TAGS = new Set(
  ("P SPAN MARK CODE PRE STRONG EM S UL OL LI BLOCKQUOTE TABLE THEAD TBODY TR TH TD HR BR INS DEL").split(" "),
);
const ATTRIBUTES = new Set(["class", "dir", "start"]);
const reading = window.trustedTypes?.createPolicy("reading", { createHTML: (html) => html });

/**
 * The server's HTML of a text. It is made of escaped text alone; should that ever break, the template neither loads nor
 * runs anything, and what is not on the list is left out.
 */
export function inert(html) {
  const template = document.createElement("template");
  template.innerHTML = reading ? reading.createHTML(html) : html;
  for (const element of template.content.querySelectorAll("*")) {
    if (!TAGS.has(element.tagName)) element.replaceWith(element.textContent);
    for (const name of element.getAttributeNames()) if (!ATTRIBUTES.has(name)) element.removeAttribute(name);
  }
  return template.content;
}

/** The message of a request that the server, or its absence, refused. */
export class Refused extends Error {}

async function answered(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refused("The page’s server has ended. Your decisions are safe; run gristmill review again to go on.");
  }
  const plain = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(plain.message || `The server answered ${response.status}.`);
  return plain;
}

export const ask = (path, parameters = {}) => {
  const query = new URLSearchParams(parameters).toString();
  return answered(query ? `${path}?${query}` : path, {});
};

export const order = (path, facts = {}) =>
  answered(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(facts) });
