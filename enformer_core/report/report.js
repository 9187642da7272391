// Tables of a report: each is sorted by a click, or a key, on a column's head, and filtered by what is typed above it.
(() => {
  const FEW_ROWS = 8; // so many are seen at once: no filter
  const text = (row, place) => row.cells[place].textContent.trim();

  // numbers by size, what is none behind them; else by letters, and numbers within them by size
  const compared = (first, second, place, isNumber, sign) => {
    if (!isNumber) {
      const inWords = text(first, place).localeCompare(text(second, place), "en", { numeric: true });
      return sign * inWords;
    }
    const [one, two] = [first, second].map((row) => row.cells[place].dataset.sort);
    if (one === "" || two === "") return (one === "") - (two === "");
    return sign * (Number(one) - Number(two));
  };

  const sort = (table, heads, head) => {
    const place = heads.indexOf(head);
    const isNumber = head.classList.contains("number");
    // what is large is looked for first
    const first = isNumber ? "descending" : "ascending";
    const other = isNumber ? "ascending" : "descending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows];
    rows.sort((one, two) => compared(one, two, place, isNumber, sign));
    table.tBodies[0].append(...rows);
    for (const each of heads) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
  };

  const makeSortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    for (const head of heads) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, heads, head));
      head.append(button);
    }
  };

  const makeFilter = (table, number) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length <= FEW_ROWS) return;
    const line = document.createElement("p");
    const label = document.createElement("label");
    const field = document.createElement("input");
    const count = document.createElement("output");
    line.className = "filter";
    field.type = "search";
    field.id = `filter-${number}`;
    label.htmlFor = field.id;
    label.textContent = "Rows with";
    count.setAttribute("aria-live", "polite");
    const filter = () => {
      const wanted = field.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        shown += !row.hidden;
      }
      count.textContent = `${shown} of ${rows.length} rows`;
    };
    field.addEventListener("input", filter);
    line.append(label, field, count);
    table.closest(".scrolled").before(line);
    filter();
  };

  const makeCopied = (item) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy command ${item.id.replace("how-", "")}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(item.querySelector("code").textContent);
      button.textContent = "Copied";
    });
    item.querySelector("p").append(" ", button);
  };

  document.querySelectorAll("table.sorted").forEach((table, number) => {
    makeSortable(table);
    makeFilter(table, number);
  });
  if (navigator.clipboard) document.querySelectorAll(".hows > li").forEach(makeCopied);
})();
