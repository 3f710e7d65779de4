"use strict";
(() => {
  const byID = id => document.getElementById(id);
  const data = id => JSON.parse(byID(id).textContent);
  // A row is an array with a value for each column: text as it is, a word as its
  // place in words[column], a flag as 0 (not known), 1 (no) or 2 (yes), a time as
  // seconds since 1970 (0: not known).
  const columns = data("columns"), rows = data("rows"), words = data("words");
  const rowHeight = 34, printedRows = 2000;

  const flags = ["", "no", "yes"];
  const shown = {
    text: v => v,
    word: (v, c) => words[c][v],
    flag: v => flags[v],
    time: v => v ? new Date(v * 1000).toISOString().slice(0, 10) : "",
  };
  const text = (row, c) => shown[columns[c].kind](row[c], c);
  const full = (row, c) => columns[c].kind === "time" && row[c]
    ? new Date(row[c] * 1000).toISOString().replace(".000Z", " UTC").replace("T", " ") : text(row, c);

  const grid = byID("grid"), table = byID("table"), body = byID("body"), head = byID("head"), cols = byID("cols");
  const search = byID("search"), status = byID("count");
  const state = { search: "", filters: new Map(), sort: -1, down: false };
  let visible = columns.map((_, c) => c).filter(c => !columns[c].extra);
  let view = [];
  const stateColumn = columns.findIndex(c => c.name === "PerUserMfaState");

  const element = (name, attributes = {}, ...children) => {
    const e = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
    e.append(...children);
    return e;
  };

  // What the search looks through is made when it is first needed.
  let haystacks;
  const haystack = i => {
    haystacks ??= rows.map(row => columns.map((_, c) => text(row, c)).join("\n").toLowerCase());
    return haystacks[i];
  };

  // ranks[column] gives each row its place in the order of that column.
  const ranks = new Map();
  const rank = c => {
    if (ranks.has(c)) return ranks.get(c);
    let result;
    const collator = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });
    const order = values => {
      const places = new Map();
      [...values].sort(collator.compare).forEach((v, n) => places.set(v, n));
      return places;
    };
    switch (columns[c].kind) {
      case "text": {
        const places = order(new Set(rows.map(row => row[c])));
        result = Float64Array.from(rows, row => places.get(row[c]));
        break;
      }
      case "word": {
        const places = order(words[c]);
        result = Float64Array.from(rows, row => places.get(words[c][row[c]]));
        break;
      }
      default:
        result = Float64Array.from(rows, row => row[c]);
    }
    ranks.set(c, result);
    return result;
  };

  // matching tells for each value of a column whether a filter lets it through.
  const matching = (c, wanted) => {
    const accepts = value => wanted === "" ? value === "" : value.split("; ").includes(wanted);
    if (columns[c].kind === "word") {
      const yes = words[c].map(accepts);
      return row => yes[row[c]];
    }
    return row => accepts(text(row, c));
  };

  const update = () => {
    const tests = [...state.filters].map(([c, wanted]) => matching(c, wanted));
    const needle = state.search.trim().toLowerCase();
    view = [];
    for (let i = 0; i < rows.length; i++) {
      if (tests.every(test => test(rows[i])) && (needle === "" || haystack(i).includes(needle))) view.push(i);
    }
    if (state.sort >= 0) {
      const places = rank(state.sort), sign = state.down ? -1 : 1;
      view.sort((a, b) => sign * (places[a] - places[b]) || a - b);
    }
    const all = rows.length.toLocaleString("en") + (rows.length === 1 ? " user" : " users");
    status.textContent = view.length === rows.length ? all : `${view.length.toLocaleString("en")} of ${all}`;
    table.setAttribute("aria-rowcount", view.length + 1);
    grid.scrollTop = 0;
    draw(true);
  };

  const rowElement = n => {
    const row = rows[view[n]];
    const mfa = stateColumn >= 0 ? text(row, stateColumn) : "";
    const tr = element("tr", { "aria-rowindex": n + 2 });
    if (mfa === "enforced" || mfa === "enabled") tr.className = mfa;
    visible.forEach((c, place) => {
      const value = text(row, c);
      const cell = place === 0 ? element("th", { scope: "row" }) : element("td", { class: columns[c].kind });
      const badge = columns[c].badge && value;
      cell.append(badge ? element("span", { class: "badge " + value }, value) : value);
      if (value) cell.title = full(row, c);
      tr.append(cell);
    });
    return tr;
  };

  const spacer = height => {
    const cell = element("td", { colspan: visible.length });
    cell.style.height = height + "px";
    return element("tr", { class: "space", "aria-hidden": "true" }, cell);
  };

  // Only the rows in sight are in the document, and a screenful on either side.
  let first = -1, last = -1;
  const draw = force => {
    const margin = 20, above = Math.floor(grid.scrollTop / rowHeight);
    const from = Math.max(0, above - margin);
    const to = Math.min(view.length, above + Math.ceil(grid.clientHeight / rowHeight) + margin);
    if (!force && from === first && to === last) return;
    first = from;
    last = to;
    const parts = [];
    if (from > 0) parts.push(spacer(from * rowHeight));
    for (let n = from; n < to; n++) parts.push(rowElement(n));
    if (to < view.length) parts.push(spacer((view.length - to) * rowHeight));
    body.replaceChildren(...parts);
  };

  const drawHead = () => {
    cols.replaceChildren(...visible.map(c => element("col", { class: "w" })));
    let width = 0;
    visible.forEach((c, n) => {
      cols.children[n].style.width = columns[c].width + "px";
      width += columns[c].width;
    });
    table.style.width = width + "px";
    head.replaceChildren(...visible.map(c => {
      const button = element("button", { type: "button" }, columns[c].title);
      button.addEventListener("click", () => {
        state.down = state.sort === c && !state.down;
        state.sort = c;
        drawHead();
        update();
        head.children[visible.indexOf(c)].firstChild.focus();
      });
      const sorted = state.sort === c ? (state.down ? "descending" : "ascending") : "none";
      return element("th", { scope: "col", "aria-sort": sorted }, button);
    }));
  };

  const selects = new Map();
  const filterControl = c => {
    const seen = new Map();
    const count = value => seen.set(value, (seen.get(value) ?? 0) + 1);
    for (const row of rows) {
      const value = text(row, c);
      if (value === "") count("");
      else value.split("; ").forEach(count);
    }
    if (seen.size < 2 || seen.size > 300) return;
    const select = element("select", {}, element("option", { value: "*" }, "all"));
    for (const value of [...seen.keys()].sort()) {
      select.append(element("option", { value: "=" + value }, `${value || "not known"} (${seen.get(value).toLocaleString("en")})`));
    }
    select.addEventListener("change", () => choose(c, select.value === "*" ? null : select.value.slice(1)));
    selects.set(c, select);
    byID("filters").append(element("label", {}, columns[c].title, select));
  };

  const choose = (c, value) => {
    if (value === null) state.filters.delete(c);
    else state.filters.set(c, value);
    update();
  };

  const reset = () => {
    state.filters.clear();
    state.search = search.value = "";
    selects.forEach(select => { select.value = "*"; });
  };

  const chooser = () => {
    columns.forEach((column, c) => {
      if (c === 0) return;
      const box = element("input", { type: "checkbox" });
      box.checked = visible.includes(c);
      box.addEventListener("change", () => {
        visible = columns.map((_, i) => i).filter(i => i === c ? box.checked : visible.includes(i));
        drawHead();
        draw(true);
      });
      byID("columns-shown").append(element("label", {}, box, " " + column.title));
    });
  };

  // The list of columns closes like a menu.
  const menu = document.querySelector(".chooser");
  document.addEventListener("click", event => { if (!menu.contains(event.target)) menu.open = false; });
  menu.addEventListener("keydown", event => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.firstElementChild.focus();
  });

  let waiting;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { state.search = search.value; update(); }, 120);
  });
  byID("clear").addEventListener("click", () => { reset(); update(); });
  grid.addEventListener("scroll", () => requestAnimationFrame(() => draw(false)), { passive: true });
  addEventListener("resize", () => draw(false));

  // A number in the summary shows its users in the table.
  for (const link of document.querySelectorAll("a[data-column]")) {
    link.addEventListener("click", () => {
      const c = columns.findIndex(column => column.name === link.dataset.column);
      if (c < 0) return;
      reset();
      const value = link.dataset.value === "unknown" && columns[c].name !== "Migration" ? "" : link.dataset.value;
      if (selects.has(c)) selects.get(c).value = "=" + value;
      choose(c, value);
    });
  }

  addEventListener("beforeprint", () => {
    const n = Math.min(view.length, printedRows);
    body.replaceChildren(...Array.from({ length: n }, (_, i) => rowElement(i)));
    byID("printed").textContent = n < view.length
      ? `The first ${n.toLocaleString("en")} of the ${view.length.toLocaleString("en")} users that the filters show.` : "";
  });
  addEventListener("afterprint", () => draw(true));

  columns.forEach((column, c) => { if (column.filter) filterControl(c); });
  chooser();
  drawHead();
  update();
  document.documentElement.dataset.ready = "true";
})();
