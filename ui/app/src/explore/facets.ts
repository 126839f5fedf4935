// What the traces found have in common, counted over the result.
import type { Summary } from "../api";
import type { Brush } from "./state";

export interface Facet { key: string; title: string; values: (t: Summary) => string[] }

export const facets: Facet[] = [
  { key: "outcome", title: "Outcome", values: (t) => [t.errors ? "with errors" : "without errors"] },
  { key: "service", title: "Service", values: (t) => t.services.map((s) => s.name) },
  { key: "operation", title: "Root", values: (t) => [rootName(t)] },
  { key: "status", title: "Status of any span", values: (t) => Object.keys(t.statuses ?? {}) },
  { key: "flag", title: "Response flag", values: (t) => Object.keys(t.flags ?? {}) },
  { key: "revision", title: "Revision", values: (t) => t.services.flatMap((s) => (s.revisions ?? []).map((r) => `${s.name.split(".")[0]} ${r}`)) },
];

export function rootName(t: Summary): string {
  return t.root.method && t.root.path ? `${t.root.method} ${t.root.path}` : t.root.operation;
}

/** A choice of the facets in the address: "service:reviews.default", or with - in front what is left out. */
export interface Choice { key: string; value: string; not: boolean }

export function readChoices(p: URLSearchParams): Choice[] {
  return p.getAll("facet").flatMap((f) => {
    const m = /^(-?)([a-z]+):(.*)$/s.exec(f);
    return m && facets.some((x) => x.key === m[2]) ? [{ not: m[1] === "-", key: m[2]!, value: m[3]! }] : [];
  });
}
export const writeChoice = (c: Choice) => `${c.not ? "-" : ""}${c.key}:${c.value}`;

/** Traces that meet the choices: any of the wanted values of each facet, and none of the unwanted. */
export function refine(traces: Summary[], choices: Choice[], brush: Brush | null): Summary[] {
  if (!choices.length && !brush) return traces;
  return traces.filter((t) => {
    if (brush && !(t.start >= brush.x0 && t.start <= brush.x1 && t.duration >= brush.y0 && t.duration <= brush.y1)) return false;
    for (const f of facets) {
      const mine = choices.filter((c) => c.key === f.key);
      if (!mine.length) continue;
      const has = new Set(f.values(t));
      const wanted = mine.filter((c) => !c.not);
      if (mine.some((c) => c.not && has.has(c.value))) return false;
      if (wanted.length && !wanted.some((c) => has.has(c.value))) return false;
    }
    return true;
  });
}

/** Values of a facet with the number of traces that have them, most first. */
export function countFacet(f: Facet, traces: Summary[]): [string, number][] {
  const n = new Map<string, number>();
  for (const t of traces) for (const v of new Set(f.values(t))) n.set(v, (n.get(v) ?? 0) + 1);
  return [...n].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}
