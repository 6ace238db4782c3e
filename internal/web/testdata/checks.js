// What axe does not measure. Each check returns a list of sentences, empty when
// all is well. Runs in the browser, beside axe.
globalThis.weir = (() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const seen = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !e.closest(".vh") && e.getClientRects().length > 0;
  const label = (e) => `<${e.localName}${e.id ? "#" + e.id : ""}${e.className && e.className.baseVal === undefined ? "." + e.className.replaceAll(" ", ".") : ""}> ${(e.innerText ?? "").trim().slice(0, 40)}`;
  const controls = () => all("a[href], button, input:not([type=hidden]), select, textarea, summary").filter(seen);
  const middle = (r) => [r.left + r.width / 2, r.top + r.height / 2];

  // A link within a sentence may be as high as its text (WCAG 2.5.8).
  const inSentence = (e) => e.localName === "a" && getComputedStyle(e).display === "inline";
  const target = (e) => (e.matches("[type=checkbox], [type=radio]") && e.closest("label")) || e;

  const alpha = (color) => {
    const parts = color.match(/[\d.]+/g).map(Number);
    return parts.length > 3 ? parts[3] : 1;
  };
  const texts = () => {
    const found = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let n = walk.nextNode(); n; n = walk.nextNode()) {
      if (n.data.trim() && seen(n.parentElement)) found.push(n);
    }
    return found;
  };
  // Only what may be focused by Tab; focusVisible asks for the ring.
  const stops = () => controls().filter((e) => e.tabIndex >= 0 && !e.disabled);

  return {
    // WCAG 1.4.10, and text that is cut off.
    overflow() {
      const out = [];
      const width = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth > width) {
        out.push(`the page is ${document.documentElement.scrollWidth} wide, the window ${width}`);
        for (const e of all("body *")) if (seen(e) && e.getBoundingClientRect().right > width + 1) out.push(`${label(e)} reaches to ${e.getBoundingClientRect().right}`);
      }
      for (const e of all("main *")) {
        if (!seen(e) || e.localName === "input" || getComputedStyle(e).webkitLineClamp !== "none") continue;
        const s = getComputedStyle(e);
        if (s.overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1 && e.localName !== "pre") out.push(`${label(e)} is cut`);
        if (s.overflowY === "hidden" && e.scrollHeight > e.clientHeight + 1) out.push(`${label(e)} is cut`);
      }
      // Text on text: two controls never overlap.
      const boxes = controls().map((e) => [e, target(e).getBoundingClientRect()]);
      for (const [a, x] of boxes) for (const [b, y] of boxes) {
        if (a !== b && !a.contains(b) && !b.contains(a) && x.left < y.right - 1 && y.left < x.right - 1 && x.top < y.bottom - 1 && y.top < x.bottom - 1) out.push(`${label(a)} lies over ${label(b)}`);
      }
      return out;
    },
    // WCAG 2.5.8 asks for 24 pixels; our controls have 44.
    targets() {
      return controls().filter((e) => !inSentence(e)).flatMap((e) => {
        const r = target(e).getBoundingClientRect();
        return r.height < 43.5 || r.width < 24 ? [`${label(e)} is ${r.width} by ${r.height}`] : [];
      });
    },
    // No text lies on a picture: something opaque is in between.
    ground() {
      return texts().flatMap((n) => {
        const range = document.createRange();
        range.selectNodeContents(n);
        const rect = [...range.getClientRects()].find((r) => r.width > 0 && r.height > 0);
        if (!rect) return [];
        n.parentElement.scrollIntoView({ block: "center", behavior: "instant" });
        const here = [...range.getClientRects()].find((r) => r.width > 0 && r.height > 0);
        const [x, y] = middle(here);
        for (const e of document.elementsFromPoint(x, y)) {
          if (e === document.body || e === document.documentElement) continue;
          if (e.matches(".backdrop *, iframe")) return [`"${n.data.trim()}" lies on the picture`];
          if (alpha(getComputedStyle(e).backgroundColor) === 1) return [];
        }
        return document.querySelector(".backdrop, iframe") || alpha(getComputedStyle(document.documentElement).backgroundColor) < 1 ? [`"${n.data.trim()}" has no ground`] : [];
      });
    },
    // Each control can be brought into view, where nothing covers it, and shows
    // that it has the focus (WCAG 2.4.7, 2.4.11, 2.4.13).
    focus() {
      const before = document.activeElement;
      const out = stops().flatMap((e) => {
        e.focus({ focusVisible: true });
        const s = getComputedStyle(e);
        if (document.activeElement !== e) return [`${label(e)} does not take the focus`];
        e.scrollIntoView({ block: "nearest", behavior: "instant" });
        const bad = [];
        if (s.outlineStyle !== "solid" || parseFloat(s.outlineWidth) < 3) bad.push(`${label(e)} has the ring ${s.outline}`);
        const rect = e.getClientRects()[0];
        const top = document.elementFromPoint(...middle(rect));
        if (!top || !(e.contains(top) || top.contains(e))) bad.push(`${label(e)} is covered by ${top ? label(top) : "the edge of the window"}`);
        return bad;
      });
      before?.focus?.();
      return out;
    },
    // In forced colours the borders show what a colour shows elsewhere.
    borders() {
      return all("button, .button, input:not([type=hidden], [type=checkbox], [type=radio]), select, textarea").filter(seen).flatMap((e) => {
        if (e.matches(".link")) return [];
        const s = getComputedStyle(e);
        const wide = parseFloat(s.borderTopWidth);
        const need = e.matches(".primary") ? 2 : e.getAttribute("aria-invalid") === "true" ? 3 : 1;
        return wide < need || s.borderTopStyle !== "solid" || s.borderTopColor === s.backgroundColor ? [`${label(e)} has the border ${s.borderTop} on ${s.backgroundColor}`] : [];
      });
    },
    // With reduced motion nothing moves.
    motion() {
      const out = document.getAnimations().map((a) => `something moves: ${a.animationName ?? a.transitionProperty}`);
      for (const e of all("*")) {
        const s = getComputedStyle(e);
        if (s.transitionDuration.split(", ").some((d) => parseFloat(d) > 0)) out.push(`${label(e)} has the transition ${s.transition}`);
        if (s.animationName !== "none") out.push(`${label(e)} has the animation ${s.animationName}`);
        if (s.scrollBehavior === "smooth") out.push(`${label(e)} scrolls smoothly`);
      }
      return out;
    },
    // WCAG 1.4.12, and text alone at 200 % (1.4.4).
    spacing(on) {
      for (const e of all("body *")) {
        for (const [name, value] of Object.entries({ "line-height": "1.5", "letter-spacing": "0.12em", "word-spacing": "0.16em" })) {
          if (on) e.style.setProperty(name, value, "important"); else e.style.removeProperty(name);
        }
        if (e.localName === "p") { if (on) e.style.setProperty("margin-block-end", "2em", "important"); else e.style.removeProperty("margin-block-end"); }
      }
      return [];
    },
    textSize(percent) { document.documentElement.style.fontSize = percent; return []; },
    // What axe finds, contrast that it cannot measure included. The other
    // theme and language change nothing but colours and words.
    async axe(part) {
      const rules = {
        colours: ["color-contrast", "link-in-text-block"],
        words: ["label", "button-name", "link-name", "input-button-name", "select-name", "image-alt", "html-has-lang", "html-lang-valid", "valid-lang", "document-title", "label-content-name-mismatch"],
      }[part];
      const run = rules ? { type: "rule", values: rules } : { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"] };
      const result = await axe.run(document, { runOnly: run, rules: rules ? {} : { "label-content-name-mismatch": { enabled: true } }, resultTypes: ["violations", "incomplete"], preload: false, elementRef: false, iframes: false });
      const lines = (list) => list.flatMap((rule) => rule.nodes.map((n) => `axe ${rule.id}: ${n.html.slice(0, 200)}: ${[...n.any, ...n.all, ...n.none].map((c) => c.message).join("; ")}`));
      return [...lines(result.violations), ...lines(result.incomplete.filter((r) => r.id === "color-contrast"))];
    },
  };
})();
