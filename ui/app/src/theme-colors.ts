// Colours that canvas needs as values and that stay the same for a service
// wherever it is shown.

// Twelve hues, far apart for the common kinds of colour blindness when neighbours
// differ in lightness too; each works with a dark outline on both themes.
export const palette = ["#4f7ee8", "#c9801f", "#1f9d8a", "#b565d8", "#5a9e3a", "#d9628f", "#3498c2", "#a08428", "#7a6cf0", "#c8694a", "#2f9e5f", "#8f7fa8"];

function hash(s: string): number {
  let h = 2166136261;
  for (let i = 0; i < s.length; i++) h = Math.imul(h ^ s.charCodeAt(i), 16777619);
  return h >>> 0;
}

/** Colours of services: by name, moved on where two of one view would be equal. */
export function serviceColors(names: string[]): string[] {
  const used = new Set<number>();
  const by = new Map<string, number>();
  for (const n of [...names].sort()) {
    let i = hash(n) % palette.length;
    for (let k = 0; used.has(i) && k < palette.length; k++) i = (i + 1) % palette.length;
    if (used.size < palette.length) used.add(i);
    by.set(n, i);
  }
  return names.map((n) => palette[by.get(n)!]!);
}

const probes = new Map<string, string>();
let probedFor = "";

/** A colour token of the style sheet, such as "--error", as a value for canvas. */
export function token(name: string): string {
  const mode = (document.documentElement.dataset.theme ?? "") + matchMedia("(prefers-color-scheme: dark)").matches + matchMedia("(forced-colors: active)").matches;
  if (mode !== probedFor) (probes.clear(), (probedFor = mode));
  const known = probes.get(name);
  if (known) return known;
  probe(new Set([name, ...usual]));
  return probes.get(name)!;
}

// Asked for together, as each asking works out the page's styles.
const usual = ["--accent", "--dim", "--error", "--ink", "--line", "--odd", "--path", "--selected", "--warn-bg"];

function probe(names: Set<string>) {
  const box = document.createElement("div");
  for (const name of names) {
    const el = document.createElement("i");
    el.style.color = `var(${name})`;
    el.style.setProperty("forced-color-adjust", "none"); // else every token would be the text's colour
    box.append(el);
  }
  document.body.append(box);
  [...names].forEach((name, i) => probes.set(name, getComputedStyle(box.children[i]!).color));
  box.remove();
}
