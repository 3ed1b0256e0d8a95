"use strict";
const lines = [...document.querySelectorAll(".lines > div[data-o]")];
// The lines of each operator.
const byOperator = new Map();
for (const line of lines) {
  line.operators = line.dataset.o.split(" ");
  for (const operator of line.operators) {
    if (!byOperator.has(operator)) byOperator.set(operator, []);
    byOperator.get(operator).push(line);
  }
  // A colour by the principal operator, far from that of its neighbours.
  const principal = Number(line.operators[line.operators.length - 1]);
  line.style.setProperty("--mark", `hsl(${(principal * 137) % 360} 55% 55%)`);
}
const relatives = (line) => new Set(line.operators.flatMap((operator) => byOperator.get(operator)));

const show = (line, name) => {
  for (const other of document.querySelectorAll("." + name)) other.classList.remove(name);
  if (line) for (const other of relatives(line)) other.classList.add(name);
};
const lineOf = (event) => event.target.closest(".lines > div[data-o]");

document.addEventListener("mouseover", (event) => show(lineOf(event), "lit"));
document.addEventListener("click", (event) => {
  const line = lineOf(event);
  if (!line) return;
  const again = line.classList.contains("kept");
  show(again ? null : line, "kept");
  if (again) return;
  for (const column of document.querySelectorAll("section")) {
    if (column.contains(line)) continue;
    const first = [...column.querySelectorAll(".kept")].find((other) => other.offsetParent);
    if (first) first.scrollIntoView({ block: "center", inline: "nearest" });
  }
});
for (const button of document.querySelectorAll("button[data-form]")) {
  button.addEventListener("click", () => {
    const column = button.closest("section");
    column.querySelectorAll(".form").forEach((form, index) => { form.hidden = index !== Number(button.dataset.form); });
    for (const other of column.querySelectorAll("button[data-form]")) other.setAttribute("aria-pressed", other === button);
  });
}
