// What the page does beyond HTML: tables that sort, filter and fold, contents that follow the scroll, and printing.
// Without it the page is complete: whole tables, and details that open.
"use strict";

const SHOWN_ROWS = 12; // as in page.py
const FEWEST_TO_SORT = 5;

// the value by which a cell is sorted: a number where it begins with one, otherwise its text
function sortKey(cell) {
  const text = (cell.dataset.value ?? cell.firstChild?.textContent ?? "").trim();
  const number = Number.parseFloat(text.replace("\u2212", "-").replaceAll(",", "").replace(/^below /, ""));
  return Number.isNaN(number) ? text : number;
}

function compare(first, second) {
  if (typeof first === "number" && typeof second === "number") return first - second;
  if (typeof first !== typeof second) return typeof first === "number" ? -1 : 1;
  return first.localeCompare(second, undefined, { numeric: true });
}

function enhance(table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const state = { all: rows.length <= SHOWN_ROWS, words: "", printing: false };
  const button = document.createElement("button");
  button.type = "button";
  button.className = "more";

  function show() {
    const wanted = state.words.toLowerCase();
    const matching = [...body.rows].filter((row) => row.textContent.toLowerCase().includes(wanted));
    const kept = matching.filter((row) => "keep" in row.dataset).length;
    let free = SHOWN_ROWS - kept;
    for (const row of body.rows) row.hidden = true;
    for (const row of matching) {
      row.hidden = !(state.all || state.printing || "keep" in row.dataset || free-- > 0);
    }
    const hidden = matching.filter((row) => row.hidden).length;
    button.hidden = matching.length <= SHOWN_ROWS;
    button.setAttribute("aria-expanded", String(state.all));
    button.textContent = state.all ? `Show ${SHOWN_ROWS} rows` : `Show all ${matching.length} rows (${hidden} more)`;
  }

  function sort(column, heading) {
    const falling = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const keyed = [...body.rows].map((row) => [sortKey(row.cells[column]), row]);
    keyed.sort((first, second) => (falling ? -1 : 1) * compare(first[0], second[0]));
    table.classList.add("sorted");
    body.append(...keyed.map((entry) => entry[1]));
    show();
  }

  if (rows.length >= FEWEST_TO_SORT) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      if (!heading.textContent.trim()) return;
      const control = document.createElement("button");
      control.type = "button";
      control.className = "sort";
      control.append(...heading.childNodes);
      control.addEventListener("click", () => sort(column, heading));
      heading.append(control);
    });
  }
  if (rows.length > SHOWN_ROWS) {
    const label = document.createElement("label");
    label.className = "filter";
    const input = document.createElement("input");
    input.type = "search";
    input.addEventListener("input", () => {
      state.words = input.value;
      table.classList.toggle("filtered", state.words !== "");
      show();
    });
    label.append("Filter rows ", input);
    table.closest(".scroll").before(label);
    table.closest(".scroll").after(button);
    button.addEventListener("click", () => {
      state.all = !state.all;
      show();
    });
  }
  show();
  return (printing) => {
    state.printing = printing;
    show();
  };
}

const printed = [...document.querySelectorAll("table.data")].map(enhance);

// everything that is folded is opened for printing, and folded again
addEventListener("beforeprint", () => {
  for (const print of printed) print(true);
  for (const each of document.querySelectorAll("details:not([open])")) {
    each.open = true;
    each.dataset.folded = "";
  }
});
addEventListener("afterprint", () => {
  for (const print of printed) print(false);
  for (const each of document.querySelectorAll("details[data-folded]")) {
    each.open = false;
    delete each.dataset.folded;
  }
});

// a link to something folded opens it
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let each = target; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
  target?.scrollIntoView();
}
addEventListener("hashchange", reveal);
if (location.hash) reveal();

// the contents mark the section that is read
const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const sections = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
function mark() {
  const passed = sections.filter((section) => section.getBoundingClientRect().top < innerHeight / 3);
  const current = passed.length ? passed[passed.length - 1] : sections[0];
  for (const [id, link] of links) {
    if (id === current?.id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}
addEventListener("scroll", mark, { passive: true });
addEventListener("toggle", mark, true); // what opens moves the sections below it
mark();
