(() => {
  const root = document.documentElement, all = (q, e = document) => [...e.querySelectorAll(q)];
  root.classList.add("js");
  all(".tools").forEach(e => e.hidden = false);

  const theme = document.getElementById("theme"), dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  const say = () => theme.textContent = isDark() ? "Light theme" : "Dark theme";
  try { root.dataset.theme = localStorage.getItem("theme") || ""; } catch { /* private window */ }
  theme.onclick = () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* private window */ }
    say();
  };
  dark.addEventListener("change", say);
  say();

  const chapters = all("details.chapter"), every = document.getElementById("all");
  const opened = () => chapters.every(e => e.open);
  const named = () => every.textContent = opened() ? "Close all chapters" : "Open all chapters";
  every.onclick = () => { const open = !opened(); chapters.forEach(e => e.open = open); named(); };
  chapters.forEach(e => e.addEventListener("toggle", named));

  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
    if (["check", "references"].includes(target.id)) target.parentElement.querySelector("details").open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  const value = cell => {
    const text = cell.textContent.trim(), found = /^[<>≤≥≈±]?\s*([−+-]?\$?\d[\d,]*\.?\d*(?:e[−+-]?\d+)?)/i.exec(text);
    return found ? [0, Number(found[1].replace(/[$,]/g, "").replaceAll("−", "-")), text] : [1, 0, text];
  };
  const compare = (a, b) => a[0] - b[0] || a[1] - b[1] || a[2].localeCompare(b[2], "en", { numeric: true });
  all("table.sort").forEach(table => {
    const heads = all("thead th", table), body = table.tBodies[0];
    heads.forEach(head => {
      const button = document.createElement("span"); // a real button is not printed in repeated heads
      button.setAttribute("role", "button");
      button.tabIndex = 0;
      button.onkeydown = e => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); button.click(); } };
      button.append(...head.childNodes);
      head.append(button);
      button.onclick = () => {
        const down = head.getAttribute("aria-sort") === "ascending", at = head.cellIndex;
        heads.forEach(e => e.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows].map(row => [value(row.cells[at]), row]), missing = row => /^–?$/.test(row[0][2]);
        rows.sort((a, b) => missing(a) - missing(b) || (down ? -1 : 1) * compare(a[0], b[0]));
        body.append(...rows.map(pair => pair[1]));
      };
    });
  });

  const contents = document.getElementById("contents"), narrow = matchMedia("(max-width: 62rem)");
  const fold = () => contents.open = !narrow.matches;
  narrow.addEventListener("change", fold);
  if (!narrow.matches) contents.open = true; // closed in the source: nothing moves on a phone
  const links = new Map(all(".toc a").map(a => [a.hash.slice(1), a]));
  const marks = all("main [id]").filter(e => links.has(e.id));
  let current;
  const spot = () => {
    const passed = marks.filter(e => e.checkVisibility() && e.getBoundingClientRect().top < 48);
    const link = links.get((passed.at(-1) || marks[0]).id);
    if (link === current) return;
    all(".toc .on").forEach(e => e.classList.remove("on"));
    current?.removeAttribute("aria-current");
    current = link;
    link.setAttribute("aria-current", "location");
    for (let e = link; e !== contents; e = e.parentElement) if (e.tagName === "LI") e.classList.add("on");
    const box = contents.parentElement;
    if (box.scrollHeight > box.clientHeight && !narrow.matches) {
      const top = link.getBoundingClientRect().top - box.getBoundingClientRect().top;
      if (top < 0 || top > box.clientHeight - 40) box.scrollTop += top - box.clientHeight / 3;
    }
  };
  let asked;
  const later = () => asked ||= requestAnimationFrame(() => { asked = 0; spot(); });
  addEventListener("scroll", later, { passive: true });
  new ResizeObserver(later).observe(document.body); // folds too

  const sizes = new ResizeObserver(list => list.forEach(({ target: e }) => {
    if (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1) e.tabIndex = 0; else e.removeAttribute("tabindex");
    e.querySelector("th.k")?.closest("table").style.setProperty("--first", e.querySelector("th, td").offsetWidth - 1 + "px");
  }));
  all(".scroll").forEach(e => sizes.observe(e));
})();
