{
  // Tables of app/grid.py: the server sends their content as data, which is inserted as text, never as markup.
  const node = (tag, settings, ...parts) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(settings)) made.setAttribute(name, value);
    made.append(...parts);
    return made;
  };

  // Everything that stays when rows change, because live regions are only announced if they persist.
  const build = (place, { name, caption }) => {
    const turns = ["First", "Previous", "Next", "Last"].map((words) => node("button", { class: "press", "data-chooses": `${name}-page` }, words));
    const count = node("span", { "aria-live": "polite" }), where = node("span", { "aria-live": "polite" });
    const csv = node("a", { class: "press", download: `${name}.csv`, "aria-label": "These rows as CSV" }, "CSV");
    const head = node("tr", {}), body = node("tbody", {});
    const table = node("table", {}, node("caption", {}, caption), node("thead", {}, head), body);
    const box = node("div", { class: "table", tabindex: "0", role: "region", "aria-label": caption }, table);
    const pager = node("div", { class: "pager", role: "group", "aria-label": "Pages" }, ...turns.slice(0, 2), where, ...turns.slice(2));
    place.replaceChildren(node("p", { class: "quiet count" }, count, " ", csv), box, pager);
    return { count, csv, head, body, pager, turns, where };
  };

  const drawHead = (head, name, heads) => {
    if ([...head.children].map((one) => one.textContent).join("\n") !== heads.map(({ words }) => words).join("\n"))
      head.replaceChildren(...heads.map(({ words, kind }) =>
        node("th", { scope: "col", class: kind }, node("button", { "data-chooses": `${name}-sort` }, words))));
    heads.forEach(({ order, sorted }, at) => {
      head.children[at].firstChild.value = order;
      if (sorted) head.children[at].setAttribute("aria-sort", sorted);
      else head.children[at].removeAttribute("aria-sort");
    });
  };

  const drawPager = ({ pager, turns, where }, page, pages) => {
    [1, page - 1, page + 1, pages].forEach((target, at) => {
      turns[at].value = target;
      turns[at].disabled = target === page || target < 1 || target > pages;
    });
    where.textContent = `page ${page.toLocaleString("en")} of ${pages.toLocaleString("en")}`;
    pager.hidden = pages === 1;
  };

  const drawCell = (cell, kind) => {
    const { text, scope, look, share, href, small, rows } = typeof cell === "string" ? { text: cell } : cell;
    const made = document.createElement(scope ? "th" : "td");
    if (scope) made.scope = scope;
    if (look || kind) made.className = look || kind;
    if (share) made.style.setProperty("--share", share);
    if (rows) made.rowSpan = rows;
    const link = href && node("a", href.startsWith("?") ? { href } : { href, target: "_blank", rel: "noopener noreferrer" }, text);
    if (link && /^https?:$/.test(link.protocol)) made.append(link);
    else made.textContent = text;
    if (small) made.append(node("span", {}, small));
    return made;
  };

  const drawRows = (body, heads, rows) => {
    body.replaceChildren(...rows.map(({ cells, look }) => {
      const row = document.createElement("tr"), above = heads.length - cells.length; // cells of earlier rows that span this one
      if (look) row.className = look;
      row.append(...cells.map((cell, at) => drawCell(cell, heads[above + at].kind)));
      return row;
    }));
  };

  // Restores the focus after rows are replaced, a button is disabled on the last page, or a growing study is redrawn.
  let held = null;
  const called = (one) => (one.dataset.chooses ? `${one.dataset.chooses} ${one.textContent}` : one.getAttribute("href") ?? one.tagName);
  document.addEventListener("pointerdown", () => { held = null; }, true);
  document.addEventListener("focusin", ({ target }) => {
    const place = target.closest?.(".grid")?.querySelector("[data-table]");
    held = place && { id: place.id, name: called(target), chooses: target.dataset.chooses, left: place.querySelector(".table").scrollLeft };
  });
  const refocus = (place, anew) => {
    const { body, activeElement } = document;
    if (held?.id !== place.id || (activeElement !== body && !activeElement.disabled)) return;
    const { name, chooses, left } = held, all = [...place.parentNode.querySelectorAll("input, a, button:enabled, [tabindex]")];
    const again = all.find((one) => called(one) === name) ?? all.find((one) => chooses && one.dataset.chooses === chooses);
    again?.focus({ preventScroll: true });
    again?.setSelectionRange?.(again.value.length, again.value.length); // in the search field, typing continues at the end
    if (anew) place.querySelector(".table").scrollLeft = left;
  };

  const drawn = new WeakMap();
  const draw = (place) => {
    const before = drawn.get(place);
    if (before?.text === place.dataset.table) return;
    const content = JSON.parse(place.dataset.table), parts = before?.parts ?? build(place, content);
    drawn.set(place, { text: place.dataset.table, parts });
    parts.count.textContent = content.count;
    parts.csv.href = content.csv;
    drawHead(parts.head, content.name, content.heads);
    drawRows(parts.body, content.heads, content.rows);
    drawPager(parts, content.page, content.pages);
    refocus(place, !before);
  };
  const all = { childList: true, subtree: true, attributes: true, attributeFilter: ["data-table"] };
  new MutationObserver(() => document.querySelectorAll("[data-table]").forEach(draw)).observe(document.documentElement, all);

  // Column heads and page buttons set the value of their hidden control; links within the page are followed without
  // loading it again, unless a modifier key or another mouse button asks for a new tab.
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-chooses]"), link = event.target.closest?.("[data-table] td a, [data-table] th a");
    const { set_props } = window.dash_clientside;
    if (button) set_props({ type: "selection", name: button.dataset.chooses }, { value: button.value });
    if (!link || link.target || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    set_props("url", { search: link.getAttribute("href") });
  });
}
