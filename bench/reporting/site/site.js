"use strict";
// All rows are in the page. Texts are only ever set as text, never as markup.
const rows = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555"];
const ALL = "all";
const digits = (value, signed) =>
  value === null ? "" : (signed && value >= 0 ? "+" : "") + value.toFixed(3);
const interval = (low, high, signed) =>
  low === null ? "" : ` (${digits(low, signed)} to ${digits(high, signed)})`;
const taskOf = (row) => (row.subtask === row.task ? row.task : `${row.task}: ${row.subtask}`);
const lengthOf = (row) => (row.context_length === null ? "own" : String(row.context_length));
const methodOf = (row) => [row.method, row.rule, row.variant].filter(Boolean).join(" ");
const COLUMNS = [
  ["method", methodOf],
  ["asked", (row) => row.asked],
  ["read", (row) => row.kv_budget, (row) => digits(row.kv_budget)],
  ["score", (row) => row.score,
    (row) => digits(row.score) + interval(row.score_ci_low, row.score_ci_high)],
  ["minus full", (row) => row.delta,
    (row) => digits(row.delta, true) + interval(row.delta_ci_low, row.delta_ci_high, true)],
  ["n", (row) => row.n, (row) => String(row.n)],
  ["model", (row) => row.model],
  ["task", taskOf],
  ["length", (row) => row.context_length, lengthOf],
];
const FILTERS = { model: (row) => row.model, task: taskOf, length: lengthOf, method: (row) => row.method };
let order = { column: null, down: false };

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function fillFilters() {
  for (const [id, of] of Object.entries(FILTERS)) {
    const values = [...new Set(rows.map(of))];
    values.sort((a, b) => (isNaN(a) || isNaN(b) ? (a < b ? -1 : 1) : a - b));
    at(id).append(element("option", { value: ALL }, ALL));
    for (const value of values) at(id).append(element("option", { value }, value));
  }
}

function left() {
  const low = at("low").value === "" ? 0 : Number(at("low").value);
  const high = at("high").value === "" ? Infinity : Number(at("high").value);
  return rows.filter((row) =>
    Object.entries(FILTERS).every(([id, of]) => [ALL, of(row)].includes(at(id).value)) &&
    row.kv_budget >= low && row.kv_budget <= high);
}

function sorted(found) {
  if (order.column === null) return found;
  const of = COLUMNS[order.column][1];
  const sign = order.down ? -1 : 1;
  return [...found].sort((a, b) => {
    const [x, y] = [of(a), of(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (x < y ? -1 : x > y ? 1 : 0);
  });
}

// What a row is from, as terms and texts.
function origins(row) {
  const from = row.origins;
  const found = [
    ["leaderboard", row.origin], ["run", row.run], ["commit", row.commit], ["prompts", row.prompts],
    ["score", digits(row.score) + interval(row.score_ci_low, row.score_ci_high)],
    ["full attention", digits(row.full_score)],
    ["minus full", digits(row.delta, true) + interval(row.delta_ci_low, row.delta_ci_high, true)],
    ["questions", `${row.n} on ${row.contexts ?? "?"} contexts`],
    ["model", `${row.model}, ${row.dtype ?? ""} on ${row.device ?? ""}`],
    ["read by the lookup", row.lookup_budget], ["prefill, ms", row.prefill_ms],
    ["token, ms", row.decode_ms_per_token], ["index, bytes", row.index_bytes],
    ...["measured", "machine", "libraries", "python", "threads", "backend", "model files", "rows"]
      .map((name) => [name, from[name]]),
    ...Object.entries(row.more),
  ];
  const list = element("dl");
  for (const [name, text] of found)
    if (text !== undefined && text !== "") list.append(element("dt", {}, name), element("dd", {}, text));
  list.append(element("dt", {}, "to repeat it"), element("dd", {}, from.command
    ? element("code", {}, from.command)
    : "the records are not here; the leaderboard that this row was submitted in does not say its command"));
  return list;
}

function line(row, number) {
  const id = `origin-${number}`;
  const cells = COLUMNS.map(([, of, shown], place) => {
    const text = (shown ?? of)(row) || "";
    if (place > 0) return element("td", shown ? { class: "number" } : {}, text);
    const button = element("button", { type: "button", "aria-expanded": "false", "aria-controls": id }, text);
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "false";
      button.setAttribute("aria-expanded", String(open));
      more.hidden = !open;
      if (open && !more.firstChild.firstChild.firstChild) more.firstChild.firstChild.append(origins(row));
    });
    return element("th", { scope: "row" }, button);
  });
  const more = element("tr", { class: "origin", id },
    element("td", { colspan: COLUMNS.length }, element("div")));
  more.hidden = true;
  return [element("tr", {}, ...cells), more];
}

// One point a method and size: the mean over the cells (task, length) of one model that are shown.
function points(shown) {
  const models = new Map();
  for (const row of shown) models.set(row.model, (models.get(row.model) ?? 0) + 1);
  const [model] = [...models.entries()].sort((a, b) => b[1] - a[1])[0] ?? [];
  const found = shown.filter((row) => row.model === model);
  const cellOf = (row) => JSON.stringify([row.model, taskOf(row), lengthOf(row), row.setting, row.data]);
  const cells = new Set(found.map(cellOf));
  const groups = new Map();
  for (const row of found) {
    const key = JSON.stringify([methodOf(row), row.asked]);
    if (!groups.has(key)) groups.set(key, new Map());
    groups.get(key).set(cellOf(row), row);
  }
  const whole = [...groups.values()].filter((each) => each.size === cells.size);
  const mean = (members, name) => members.reduce((sum, row) => sum + row[name], 0) / members.length;
  return {
    model: models.size > 1 ? model : null,
    cells: cells.size,
    missing: groups.size - whole.length,
    points: whole.map((each) => {
      const members = [...each.values()];
      return { method: methodOf(members[0]), asked: members[0].asked,
        x: mean(members, "kv_budget"), y: mean(members, "score") };
    }),
  };
}

// The points that no other point beats: none reads as little and scores as much.
function front(found) {
  const best = [];
  for (const each of [...found].sort((a, b) => a.x - b.x || b.y - a.y))
    if (!best.length || each.y > best[best.length - 1].y) best.push(each);
  return best;
}

function mark(kind, x, y, color) {
  const shapes = [
    `M${x - 5},${y}a5,5 0 1,0 10,0a5,5 0 1,0 -10,0`,
    `M${x - 5},${y - 5}h10v10h-10z`, `M${x},${y - 6}l6,11h-12z`, `M${x},${y + 6}l6,-11h-12z`,
    `M${x},${y - 7}l6,7l-6,7l-6,-7z`,
  ];
  return drawn("path", { d: shapes[kind % shapes.length], fill: color, stroke: "#fff" });
}

function plot(found) {
  const { model, cells, missing, points: all } = points(found);
  const best = front(all);
  const [width, height, edge, base] = [640, 372, 50, 62]; // base: room for the letters of a phone
  const most = Math.max(1e-9, ...all.map((each) => each.x));
  const top = Math.max(1e-9, ...all.map((each) => each.y));
  const x = (value) => edge + (width - 2 * edge) * value / most;
  const y = (value) => height - base - (height - edge - base) * value / top;
  const names = [...new Set(all.map((each) => each.method))];
  const looks = (name) => [names.indexOf(name), COLORS[names.indexOf(name) % COLORS.length]];
  const said = best.map((p) => `${p.method} ${p.asked}: score ${digits(p.y)} at ${digits(p.x)}`);
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Score against budget, ${all.length} points. Best at their budget: ${said.join("; ") || "none"}.` });
  for (let part = 0; part <= 4; part++) {
    const [h, v] = [most * part / 4, top * part / 4];
    svg.append(drawn("line", { x1: edge, x2: width - edge, y1: y(v), y2: y(v), stroke: "#ddd" }));
    svg.append(drawn("text", { x: edge - 6, y: y(v) + 4, "text-anchor": "end" }, v.toFixed(2)));
    svg.append(drawn("text", { x: x(h), y: height - base + 28, "text-anchor": "middle" }, h.toFixed(2)));
  }
  svg.append(drawn("text", { x: width / 2, y: height - 6, "text-anchor": "middle" }, "read (measured KV budget)"));
  svg.append(drawn("text", { x: edge - 40, y: edge - 22 }, "score"));
  svg.append(drawn("polyline", { points: best.map((p) => `${x(p.x)},${y(p.y)}`).join(" "),
    fill: "none", stroke: "#1a1a1a", "stroke-dasharray": "5 4", class: "front" }));
  for (const each of all) {
    const point = mark(looks(each.method)[0], x(each.x), y(each.y), looks(each.method)[1]);
    point.append(drawn("title", {}, `${each.method} ${each.asked}: score ${digits(each.y)}, read ${digits(each.x)}`));
    point.setAttribute("class", "point");
    svg.append(point);
  }
  const why = found.length ? "No method has all cells that the filters leave; choose one task."
    : "No row has all of this. The button All rows shows them again.";
  at("plot").replaceChildren(all.length ? svg : why);
  at("plot-note").textContent = all.length === 0 ? "" :
    (model === null ? "" : `Of the models, ${model} is drawn; choose another above. `) +
    (cells === 1 ? "One model, task and length. " : `Each point is the mean over ${cells} tasks and lengths. `) +
    (missing ? `${missing} settings lack some of them and are left out. ` : "") +
    "The dashed line joins the points that no other point beats.";
  at("legend").replaceChildren(...names.map((name) => {
    const sample = drawn("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
    sample.append(mark(looks(name)[0], 8, 8, looks(name)[1]));
    return element("li", {}, sample, ` ${name}`);
  }));
}

function show() {
  const found = left();
  at("count").textContent = `${found.length} of ${rows.length} rows`;
  at("rows").tBodies[0].replaceChildren(...sorted(found).flatMap(line));
  for (const [place, cell] of [...at("rows").tHead.rows[0].cells].entries())
    cell.setAttribute("aria-sort",
      place !== order.column ? "none" : order.down ? "descending" : "ascending");
  plot(found);
}

function head() {
  COLUMNS.forEach(([name], place) => {
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", () => {
      order = { column: place, down: order.column === place && !order.down };
      show();
    });
    at("rows").tHead.rows[0].append(element("th", { scope: "col" }, button));
  });
}

fillFilters();
head();
show();
for (const kind of ["input", "change"]) at("filters").addEventListener(kind, show);
at("filters").addEventListener("submit", (event) => event.preventDefault());
at("filters").addEventListener("reset", () => setTimeout(show));
