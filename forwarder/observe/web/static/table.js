// A table that is made once and then only changed where what it says has changed.
import { h } from "./dom.js";

// `columns`: {label, sort, kind, minor, cell(row) -> children or {children, kind, title}}.
export function table(columns, { sorted = null, onsort = null, empty = "Nothing here." } = {}) {
  const heads = columns.map((column) => {
    const label = column.sort && onsort ? h("button", { type: "button", onclick: () => onsort(column.sort) }, column.label) : column.label;
    return h("th", { scope: "col", class: column.kind?.includes("number") ? "number" : null, title: column.title }, label);
  });
  const body = h("tbody");
  const nothing = h("div", { class: "empty", hidden: true }, empty);
  const root = h("div", { class: "scroll" }, h("table", { class: "cards-when-small" }, h("thead", {}, h("tr", {}, heads)), body), nothing);
  function mark(key, order) {
    columns.forEach((column, at) => {
      const is = column.sort === key && column.sort;
      if (is) heads[at].setAttribute("aria-sort", order === "desc" ? "descending" : "ascending");
      else heads[at].removeAttribute("aria-sort");
      const button = heads[at].querySelector("button");
      if (button) button.textContent = column.label + (is ? (order === "desc" ? " ↓" : " ↑") : "");
    });
  }
  if (sorted) mark(...sorted);

  function set(rows) {
    nothing.hidden = rows.length > 0;
    while (body.rows.length > rows.length) body.lastChild.remove();
    rows.forEach((row, at) => {
      if (!body.rows[at]) body.append(h("tr", {}, columns.map(() => h("td"))));
      columns.forEach((column, place) => {
        let cell = column.cell(row);
        if (!cell || typeof cell !== "object" || cell instanceof Node || Array.isArray(cell)) cell = { children: cell };
        const kinds = [column.kind, column.minor ? "minor" : "", cell.kind, isNothing(cell.children) ? "nothing" : ""];
        const fresh = h("td", { class: kinds.filter(Boolean).join(" ") || null, title: cell.title, "data-label": column.label }, cell.children ?? "");
        const old = body.rows[at].cells[place];
        if (!old.isEqualNode(fresh)) replace(old, fresh);
      });
    });
  }
  return { root, set, mark };
}

const isNothing = (children) => children === null || children === undefined || children === false || children === "" || (Array.isArray(children) && !children.length);

// Keeps the focus on the link of a cell whose content changes.
function replace(old, fresh) {
  const focused = old.contains(document.activeElement);
  old.replaceWith(fresh);
  if (focused) fresh.querySelector("a, button")?.focus();
}

// Moves the focus to the link of the next or previous line.
export function step(by) {
  const links = [...document.querySelectorAll("main tbody td:first-child a")];
  if (!links.length) return;
  const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1);
  links[next].focus();
}
