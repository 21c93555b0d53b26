// Returns what is wrong with the page that is open, as a list of sentences.
(() => {
  const faults = [];
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const check = (holds, fault) => { if (!holds) faults.push(fault); };
  const shown = (element) => element.outerHTML.slice(0, 120);

  check(document.documentElement.lang === "en", "its language is not said");
  check(document.title.trim() !== "", "it has no title");
  for (const one of ["h1", "main", "header", "footer"]) {
    check(all(one).length === 1, `it has ${all(one).length} of ${one}`);
  }
  const first = all("a, button, input")[0];
  check(first?.matches("a[href^='#']") && document.querySelector(first.getAttribute("href")),
    "the first link does not skip to the content");

  let level = 0;
  for (const heading of all("h1, h2, h3, h4")) {
    const next = Number(heading.tagName[1]);
    check(next <= level + 1, `a level of headings is left out before ${shown(heading)}`);
    level = next;
  }
  const ids = all("[id]").map((element) => element.id);
  check(new Set(ids).size === ids.length, "two elements have the same id");
  for (const reference of all("[aria-labelledby]")) {
    check(document.getElementById(reference.getAttribute("aria-labelledby")),
      `nothing labels ${shown(reference)}`);
  }
  for (const input of all("input:not([type=hidden]), select, textarea")) {
    check(input.labels.length > 0, `no label for ${shown(input)}`);
  }
  for (const link of all("a, button")) {
    check(link.textContent.trim() !== "", `no text in ${shown(link)}`);
  }
  for (const picture of all("svg, img")) {
    check(picture.getAttribute("aria-hidden") === "true" || picture.getAttribute("aria-label")
      || picture.alt, `no text for ${shown(picture)}`);
  }
  for (const table of all("table")) {
    check(table.caption?.textContent, `no caption in ${shown(table)}`);
    for (const head of all("th", table)) check(head.scope, `no scope in ${shown(head)}`);
  }
  check(all("script:not([src^='/']), [style], [onclick]").length === 0,
    "it has a script or a style of its own");
  for (const bar of all("progress, meter")) {
    check(bar.getAttribute("aria-label"), `no text for ${shown(bar)}`);
  }

  const width = document.documentElement.clientWidth;
  check(document.documentElement.scrollWidth <= width,
    `it is ${document.documentElement.scrollWidth} wide of ${width}`);
  for (const element of all("body *:not(.skip)")) {
    const right = element.getBoundingClientRect().right;
    check(right <= width + 1 || element.closest(".hidden, pre"),
      `it ends at ${Math.round(right)} of ${width}: ${shown(element)}`);
  }

  // Contrast by WCAG 2: relative luminance of the text and of what is behind it.
  const parts = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (color) => {
    const [red, green, blue] = parts(color).map((part) => part / 255).map((part) =>
      part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if ((parts(color)[3] ?? 1) > 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const pairs = new Set();
  for (const element of all("body *:not(svg *)")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!hasText || element.closest(".hidden")) continue;
    const [text, behind] = [getComputedStyle(element).color, ground(element)];
    if (pairs.has(text + behind)) continue;
    pairs.add(text + behind);
    const [one, other] = [luminance(text), luminance(behind)];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    check(contrast >= 4.5, `a contrast of ${contrast.toFixed(2)} in ${shown(element)}`);
  }
  return faults;
})()
