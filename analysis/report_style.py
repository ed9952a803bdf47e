"""Style and script of the HTML report: no file but the report itself is read by a browser."""

STYLE = """
:root { color-scheme: light; --line: #d8d8d8; --ink: #16181d; --soft: #5a6069; --mark: #0072b2; }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body {
  font: 15px/1.5 "Liberation Sans", Arial, Helvetica, sans-serif; color: var(--ink); background: #fff; margin: 0;
  display: grid; grid-template-columns: 17rem minmax(0, 1fr);
}
nav {
  position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; padding: 1.2rem 1rem;
  font-size: .87rem; border-right: 1px solid var(--line); min-height: 100vh;
}
nav summary { font-weight: bold; cursor: pointer; }
nav ol { margin: .5rem 0 0; padding-left: 1.3rem; } nav li { margin: .25rem 0; }
main, section.run { max-width: 66rem; padding: 1.2rem 2rem 4rem; min-width: 0; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; border-top: 2px solid var(--ink); padding-top: .6rem; margin: 2.8rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
figure { margin: 1.2rem 0; overflow-x: auto; } figcaption { font-size: .88rem; margin-bottom: .3rem; max-width: 60rem; }
figure svg { max-width: 100%; height: auto; display: block; }
.values circle:hover { fill: rgba(0, 114, 178, .25); stroke: #0072b2; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1rem; }
table {
  border-collapse: collapse; font-size: .84rem; font-variant-numeric: tabular-nums; border-top: 1.5px solid var(--ink);
  border-bottom: 1.5px solid var(--ink);
}
th, td { padding: .18rem .6rem; text-align: right; white-space: nowrap; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 1px solid var(--ink); } tbody tr:nth-child(even) { background: #f5f6f7; }
table.sortable thead th { cursor: pointer; } table.sortable thead th:hover { color: var(--mark); }
th[aria-sort=ascending]::after { content: " \\2191"; } th[aria-sort=descending]::after { content: " \\2193"; }
table.claims td, table.claims th { white-space: normal; text-align: left; min-width: 8rem; }
.word { font-weight: bold; display: block; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem 1rem; font-size: .85rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.note, .about { font-size: .88rem; margin: .3rem 0; color: var(--soft); } .about { font-size: .95rem; }
.missing { border-left: 4px solid #d55e00; padding-left: .8rem; }
details { margin: .6rem 0; } main summary { cursor: pointer; color: var(--mark); font-size: .9rem; }
.runs td { text-align: left; white-space: normal; overflow-wrap: anywhere; } .runs th { text-align: left; }
.runs table { font-size: .78rem; }
a { color: var(--mark); }
section.run { display: none; } section.run:target { display: block; }
body:has(section.run:target) main { display: none; }
@media (max-width: 60rem) {
  body { display: block; }
  nav { position: sticky; background: #fff; border-right: 0; border-bottom: 1px solid var(--line); min-height: 0;
    padding: .5rem 1rem; max-height: 60vh; z-index: 1; }
  main, section.run { padding: .8rem 1rem 3rem; }
  dl { grid-template-columns: minmax(0, 1fr); } dt { margin-top: .3rem; }
  html { scroll-padding-top: 3rem; }
  table.claims, .claims tbody, .claims tr, .claims td { display: block; } .claims thead { display: none; }
  .claims td:first-child { font-weight: bold; padding-top: .6rem; }
  .claims td:nth-child(2)::before { content: "growth alone: "; }
  .claims td:nth-child(3)::before { content: "growing and returning: "; }
  .word { display: inline; } .word::after { content: ". "; }
}
@page { margin: 1.4cm; }
@media print {
  body { display: block; font-size: 10pt; } nav { display: none; }
  main { max-width: none; padding: 0; }
  h2 { break-before: page; } section:first-of-type h2 { break-before: avoid; }
  figure, tr, li { break-inside: avoid; } figure { overflow: visible; } .runs { break-inside: auto; }
  table { font-size: 6.8pt; } th, td { padding: .1rem .2rem; } th, td:first-child { white-space: normal; }
  a { color: inherit; text-decoration: none; }
}
"""

# Tables are sorted by a click on a heading: by number where a cell begins with one, else by text, "-" last.
SCRIPT = """
"use strict";
function key(cell) {
  const text = cell.textContent.trim().replace(/\\u2212/g, "-");
  const number = text.match(/^[+-]?[\\d,]*\\.?\\d+/);
  return { empty: text === "-" || text === "", number: number ? parseFloat(number[0].replace(/,/g, "")) : NaN, text };
}
function compare(a, b) {
  if (a.empty !== b.empty) return a.empty ? 1 : -1;
  const numbers = !Number.isNaN(a.number) && !Number.isNaN(b.number);
  return numbers && a.number !== b.number ? a.number - b.number : a.text.localeCompare(b.text);
}
function sort(heading) {
  const table = heading.closest("table"), column = [...heading.parentNode.children].indexOf(heading);
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of heading.parentNode.children) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].map((row) => [key(row.cells[column]), row]);
  rows.sort(([a], [b]) => (a.empty || b.empty ? compare(a, b) : (down ? -1 : 1) * compare(a, b)));
  for (const [, row] of rows) table.tBodies[0].append(row);
}
for (const heading of document.querySelectorAll("table.sortable thead th")) {
  heading.tabIndex = 0;
  heading.addEventListener("click", () => sort(heading));
  heading.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(heading); });
}
const contents = document.querySelector("nav details");
if (window.matchMedia("(max-width: 60rem)").matches) contents.open = false;
contents.addEventListener("click", (event) => {
  if (event.target.tagName === "A" && window.matchMedia("(max-width: 60rem)").matches) contents.open = false;
});
"""
