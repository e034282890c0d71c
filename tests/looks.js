// What a page looks like to those who read it, asked inside the page. Each question answers with faults in words; none is good.
(() => {
  const name = e => {
    const own = e.id ? `#${e.id}` : e.classList.length ? `.${[...e.classList].join(".")}` : "";
    const words = (e.textContent || e.getAttribute("aria-label") || "").replace(/\s+/g, " ").trim().slice(0, 40);
    return `<${e.localName}${own}>${words ? ` “${words}”` : ""}`;
  };
  const few = (faults, most = 12) => {
    const told = [...new Set(faults)];
    return told.length > most ? [...told.slice(0, most), `and ${told.length - most} more`] : told;
  };
  const seen = e => e.checkVisibility({visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: true});
  const up = e => e.parentElement || (e.getRootNode().host ?? null);
  // Hidden from eyes and kept for screen readers: one pixel, or far away to the left.
  const forEars = e => {
    for (let one = e; one && one !== document.body; one = up(one)) {
      const box = one.getBoundingClientRect(), style = getComputedStyle(one);
      if (style.position === "absolute" && ((box.width <= 1 && box.height <= 1) || box.right < 0)) return true;
    }
    return false;
  };
  const texts = () => {
    const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const at = walk.currentNode.parentElement;
      if (walk.currentNode.data.trim() && at && !/^(script|style|title|desc|noscript|option|textarea)$/.test(at.localName))
        found.push([walk.currentNode, at]);
    }
    return found;
  };
  const boxes = node => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return [...range.getClientRects()].filter(box => box.width > 0.5 && box.height > 0.5);
  };

  // Room: nothing is wider than the screen, nothing is cut off where nobody can scroll to it.
  const room = () => {
    const wide = document.documentElement.clientWidth, faults = [];
    if (document.documentElement.scrollWidth > wide) {
      const far = [...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > wide + 1 && seen(e));
      const last = far.filter(e => ![...e.children].some(child => far.includes(child))).slice(0, 3).map(name);
      faults.push(`the page scrolls sideways: ${document.documentElement.scrollWidth} pixels on a screen of ${wide}, by ${last.join(", ")}`);
    }
    const shown = texts().filter(([node, at]) => seen(at) && !forEars(at)).map(([node, at]) => [node.data.trim().slice(0, 40), at, boxes(node)]);
    for (const e of document.querySelectorAll("img, svg, input, select, button"))
      if (seen(e) && !forEars(e) && !e.closest("svg svg") && e.getBoundingClientRect().width > 1)
        shown.push([name(e), e.parentElement, [e.getBoundingClientRect()]]);
    for (const [words, at, places] of shown)
      for (const box of places) {
        let left = 0, right = wide, top = -Infinity, bottom = Infinity, free = false;
        for (let one = at; one && one !== document.body && !free; one = up(one)) {
          const style = getComputedStyle(one), rolls = /auto|scroll/, cuts = /hidden|clip/;
          if (one.localName === "svg" || style.display === "inline") {
            if (one.localName !== "svg" || !cuts.test(style.overflow)) continue;
          }
          const edge = one.getBoundingClientRect();
          if (rolls.test(style.overflowX) || rolls.test(style.overflowY)) free = true;
          else if (cuts.test(style.overflowX)) {
            left = Math.max(left, edge.left); right = Math.min(right, edge.right);
            if (cuts.test(style.overflowY)) { top = edge.top; bottom = edge.bottom; }
          }
        }
        if (!free && (box.right > right + 1.5 || box.left < left - 1.5 || box.bottom > bottom + 2.5 || box.top < top - 2.5))
          faults.push(`cut off: “${words}” on ${name(at)}, ${Math.round(box.left)} to ${Math.round(box.right)} within ${Math.round(left)} to ${Math.round(right)}`);
      }
    return few(faults);
  };

  // Drawings: letters large enough to be read, and none upon another.
  const letters = least => {
    const faults = [];
    for (const svg of document.querySelectorAll("svg")) {
      if (!seen(svg) || svg.parentElement.closest("svg")) continue;
      const written = texts().filter(([node, at]) => svg.contains(at) && seen(at));
      const places = written.map(([node, at]) => {
        const text = at.closest("text") ?? at, scale = text.getScreenCTM?.() ?? {a: 1, b: 0};
        const size = parseFloat(getComputedStyle(at).fontSize) * Math.hypot(scale.a, scale.b);
        if (size < least) faults.push(`too small: “${node.data.trim()}” is ${size.toFixed(1)} pixels high, and ${least} are needed`);
        return [node.data.trim(), at, boxes(node), size];
      });
      places.forEach(([one, a, first, size], i) => places.slice(i + 1).forEach(([other, b, second]) => {
        if (a.closest("text") === b.closest("text")) return;
        for (const p of first) for (const q of second) {
          const across = Math.min(p.right, q.right) - Math.max(p.left, q.left);
          const down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
          if (across > 2 && down > Math.max(2, size * 0.35)) faults.push(`one upon the other: “${one}” and “${other}” in ${name(svg)}`);
        }
      }));
    }
    return few(faults);
  };

  // Colours: WCAG's contrast of every piece of text, in folded parts and in drawings too, against what lies behind it.
  const colour = words => {
    const given = /^rgba?\(([\d.]+),\s*([\d.]+),\s*([\d.]+)(?:,\s*([\d.]+))?\)$/.exec(words);
    if (given) return [+given[1], +given[2], +given[3], given[4] === undefined ? 1 : +given[4]];
    const mixed = /^color\(srgb ([\d.]+) ([\d.]+) ([\d.]+)(?: \/ ([\d.]+))?\)$/.exec(words);
    return mixed ? [mixed[1] * 255, mixed[2] * 255, mixed[3] * 255, mixed[4] === undefined ? 1 : +mixed[4]] : null;
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = c => [0, 1, 2].map(i => c[i] / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const ground = e => {
    const layers = [];
    for (let one = e; one; one = up(one)) {
      const paint = one.ownerSVGElement ? null : colour(getComputedStyle(one).backgroundColor);
      if (paint && paint[3]) layers.unshift(paint);
      if (paint && paint[3] === 1) break;
    }
    const dark = matchMedia("(prefers-color-scheme: dark)").matches && /dark/.test(getComputedStyle(document.documentElement).colorScheme);
    return layers.reduce((below, top) => over(top, below), dark ? [18, 18, 18, 1] : [255, 255, 255, 1]);
  };
  const opacity = e => { let all = 1; for (let one = e; one; one = up(one)) all *= +getComputedStyle(one).opacity; return all; };
  const painted = (svg, text, x, y, start) => {
    let now = start;
    for (const shape of svg.querySelectorAll("rect, path, circle, ellipse, polygon, use")) {
      if (shape.closest("defs, clipPath, mask") || !(shape.compareDocumentPosition(text) & 4) || !seen(shape)) continue;
      const style = getComputedStyle(shape), paint = colour(style.fill);
      if (!paint || !paint[3]) continue;
      const box = shape.getBoundingClientRect();
      if (x < box.left || x > box.right || y < box.top || y > box.bottom) continue;
      if (shape.isPointInFill) {
        const turn = shape.getScreenCTM();
        if (!turn || !shape.isPointInFill(new DOMPoint(x, y).matrixTransform(turn.inverse()))) continue;
      }
      now = over([paint[0], paint[1], paint[2], paint[3] * +style.fillOpacity * opacity(shape)], now);
    }
    return now;
  };
  const contrast = () => {
    const faults = [];
    for (const [node, at] of texts()) {
      const style = getComputedStyle(at), svg = at.closest("svg"), drawn = svg && !at.closest("foreignObject");
      if (style.visibility === "hidden" || style.display === "none" || (drawn && style.fill === "none")) continue;
      const ink = colour(drawn ? style.fill : style.color);
      if (!ink) { faults.push(`${name(at)}: the colour ${drawn ? style.fill : style.color} is none that is known here`); continue; }
      if (drawn) ink[3] *= +style.fillOpacity;
      ink[3] *= opacity(at);
      let grounds = [ground(at)], size = parseFloat(style.fontSize);
      if (drawn) {
        const scale = (at.closest("text") ?? at).getScreenCTM?.();
        if (scale) size *= Math.hypot(scale.a, scale.b);
        const box = boxes(node)[0];
        if (box) grounds = [0.15, 0.5, 0.85].map(part => painted(svg, at, box.left + box.width * part, box.top + box.height / 2, grounds[0]));
      }
      const least = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700) ? 3 : 4.5;
      const worst = Math.min(...grounds.map(below => ratio(over(ink, below), below)));
      if (worst < least - 0.005) faults.push(`“${node.data.trim().slice(0, 40)}” on ${name(at)}: contrast ${worst.toFixed(2)}, and ${least} is needed`);
    }
    return few(faults);
  };

  // How wide a sheet of A4 is between its margins: those of the style sheet, or the browser's own.
  const sheet = () => {
    const every = rules => [...rules].flatMap(rule => rule instanceof CSSPageRule ? [rule] : rule.cssRules?.length ? every(rule.cssRules) : []);
    const pages = [...document.styleSheets].flatMap(one => every(one.cssRules));
    const long = words => {
      const rod = document.createElement("div");
      rod.style.cssText = `position:absolute;width:${words}`;
      document.body.append(rod);
      const found = rod.getBoundingClientRect().width;
      rod.remove();
      return found;
    };
    const own = side => pages.map(page => page.style[side]).filter(Boolean).at(-1) ?? "0.4in";
    return Math.floor(long("8.27in") - long(own("marginLeft")) - long(own("marginRight")));
  };
  const paper = () => light(ground(document.body)) > 0.8 ? [] : ["the paper is to be dark"];

  // Keys: what can be reached, and what is seen of it when it is.
  const stops = () => {
    const all = [...document.querySelectorAll("a[href], summary, button, input, select, textarea, [tabindex], audio[controls], video[controls], iframe, [contenteditable]")]
      .filter(e => e.tabIndex >= 0 && !e.disabled && e.type !== "hidden" && seen(e) && (e.localName !== "summary" || e.parentElement.querySelector("summary") === e));
    const chosen = e => e.type !== "radio" || !e.name || e.checked ||
      (!all.some(o => o.type === "radio" && o.name === e.name && o.checked) && all.find(o => o.type === "radio" && o.name === e.name) === e);
    const kept = all.filter(chosen);
    kept.forEach((e, i) => { e.stop = i; });
    return kept.map(name);
  };
  const focused = () => {
    const e = document.activeElement;
    if (!e || e === document.body) return null;
    const faults = [], told = name(e), rim = [e, ...(e.labels ?? [])].find(one => {
      const style = getComputedStyle(one), box = one.getBoundingClientRect();
      return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.width > 2 && box.height > 2 && !forEars(one);
    });
    if (!rim) faults.push(`${told}: nothing shows that the focus is there`);
    else {
      const line = colour(getComputedStyle(rim).outlineColor), behind = ground(up(rim) ?? rim), box = rim.getBoundingClientRect();
      if (line && ratio(over(line, behind), behind) < 3) faults.push(`${told}: the rim of the focus has contrast ${ratio(over(line, behind), behind).toFixed(2)}, and 3 is needed`);
      if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth) faults.push(`${told}: has the focus outside the screen`);
      else {
        const x = Math.min(Math.max(box.left + Math.min(box.width / 2, 20), 1), innerWidth - 1), y = Math.min(Math.max(box.top + Math.min(box.height / 2, 12), 1), innerHeight - 1);
        const hit = document.elementFromPoint(x, y);
        if (hit && !rim.contains(hit) && !hit.contains(rim)) faults.push(`${told}: has the focus under ${name(hit)}`);
      }
    }
    return {stop: e.stop ?? -1, name: told, faults};
  };

  const unfold = (open = true) => document.querySelectorAll("details").forEach(e => { e.open = open; });
  // Text alone twice as large, as a reader's own settings make it; drawings keep their measure.
  const enlarge = factor => {
    const found = [...document.body.querySelectorAll("*"), document.body].filter(e => !e.closest("svg"));
    found.map(e => [e, parseFloat(getComputedStyle(e).fontSize)]).forEach(([e, size]) => e.style.setProperty("font-size", `${size * factor}px`, "important"));
  };
  // The spacing of text that WCAG 1.4.12 lets readers set.
  const spread = () => {
    const style = document.createElement("style");
    style.textContent = ":not(svg, svg *){line-height:1.5!important;letter-spacing:.12em!important;word-spacing:.16em!important}p{margin-bottom:2em!important}";
    document.head.append(style);
  };
  const scripts = () => [
    ...[...document.querySelectorAll("script:not([type='application/json'])")].map(e => `a script: ${(e.src || e.textContent).slice(0, 60)}`),
    ...[...document.querySelectorAll("*")].flatMap(e => e.getAttributeNames().filter(one => /^on/i.test(one)).map(one => `${name(e)} has ${one}`)),
    ...[...document.querySelectorAll("[href^='javascript:' i], [src^='javascript:' i]")].map(e => `${name(e)} runs a script`),
  ];
  const pictures = () => few([...document.querySelectorAll("img, svg, [role=img]")].filter(e => !e.closest("[aria-hidden=true]") && !e.parentElement.closest("svg") &&
    !(e.getAttribute("alt") ?? e.getAttribute("aria-label") ?? "").trim() && !e.querySelector(":scope > title") && !e.hasAttribute("aria-labelledby") &&
    !(e.localName === "img" && e.getAttribute("alt") === "") && !/^(presentation|none)$/.test(e.getAttribute("role") ?? "")).map(e => `no words for ${name(e)}`));
  window.looks = {name, paper, sheet, room, letters, contrast, stops, focused, unfold, enlarge, spread, scripts, pictures};
})();
