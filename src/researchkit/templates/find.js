// Searches the index that stands in this page. All words have to be found; letters count with or without accents.
(function () {
  "use strict";
  const SHOWN = 30, QUIET = 400;
  const at = (id) => document.getElementById(id);
  const box = at("find-box"), list = at("find-list"), said = at("find-said");
  const plain = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  const every = JSON.parse(at("find-data").textContent).map(([kind, title, link, more]) => (
    { kind, title, link, more, first: plain(title), all: plain(kind + " " + title + " " + more) }));
  let later = 0;

  // Better: the title begins so, then a word of it does, then it is in the title at all.
  function worth(one, words) {
    let sum = 0;
    for (const word of words) {
      if (!one.all.includes(word)) return 0;
      const place = one.first.indexOf(word);
      sum += place === 0 ? 8 : place > 0 && !/[a-z0-9]/.test(one.first[place - 1]) ? 5 : place > 0 ? 3 : 1;
    }
    return sum;
  }

  function line(one) {
    const item = document.createElement("li"), link = document.createElement("a");
    const kind = document.createElement("span"), more = document.createElement("small");
    kind.className = "tag";
    kind.textContent = one.kind;
    link.href = one.link;
    link.textContent = one.title;
    more.textContent = one.more.length > 140 ? one.more.slice(0, 139) + "…" : one.more;
    item.append(kind, " ", link, " ", more);
    return item;
  }

  function tell(text) {
    clearTimeout(later);
    later = setTimeout(() => { said.textContent = text; }, QUIET);
  }

  function search() {
    const words = plain(box.value).split(/\s+/).filter(Boolean);
    const found = !words.length ? [] : every
      .map((one) => [worth(one, words), one])
      .filter(([sum]) => sum > 0)
      .sort((a, b) => b[0] - a[0]);
    list.replaceChildren(...found.slice(0, SHOWN).map(([, one]) => line(one)));
    const more = found.length > SHOWN ? ", the first " + SHOWN + " are shown" : "";
    tell(!words.length ? "" : found.length ? found.length + " found" + more + "." : "Nothing found.");
  }

  // Arrow keys walk the list, Escape goes back to an empty box, Enter in the box follows the first.
  function keys(event) {
    const links = [...list.querySelectorAll("a")];
    const now = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown" && links.length) (links[now + 1] || links[now]).focus();
    else if (event.key === "ArrowUp" && now >= 0) (links[now - 1] || box).focus();
    else if (event.key === "Escape") { box.value = ""; search(); box.focus(); }
    else return;
    event.preventDefault();
  }

  at("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const first = list.querySelector("a");
    if (first) first.click();
  });
  at("find").addEventListener("keydown", keys);
  box.addEventListener("input", search);
  at("find-in").hidden = false;
  if (location.hash === "#find") box.focus();
  if (box.value) search();
})();
