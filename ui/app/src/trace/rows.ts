// Which rows are shown: folding, filtering and collapsing over the columns of a
// trace. Everything is one pass over arrays, so that 100,000 spans take
// milliseconds; nothing recurses.
import { ERROR, type Skeleton } from "./skeleton";

/** At least this many similar siblings become one row. */
export const similarFrom = 5;

/** What one row stands for: similar siblings, or all that is left out below one parent. */
export interface Group { first: number; rows: number[]; errors: number; took: number; hidden?: { parent: number; spans: number } }

export interface Layout {
  /** Rows from top to bottom: a span's row, or −1−g for the group g. */
  rows: Int32Array;
  level: Int32Array; // of each span's row, as shown
  groups: Group[];
  groupOf: Int32Array | null;
  /** Rows that are left out, by a filter or with a service that is hidden; null: none can be. */
  out: Uint8Array | null;
  /** Those left out with a service, and how many of them failed. */
  pruned: { spans: number; errors: number };
  spans: number; // lines that are no row of what is left out
  halves: Uint8Array | null; // see hiddenHalves
}

export interface Shown {
  hops: boolean;
  similar: boolean;
  collapsed: Uint8Array;
  openGroups: Set<number>; // by the group's first row
  openPlaces?: Set<number>; // what is left out is shown all the same, by the row it is below, −1 none
  keep: Uint8Array | null; // rows that pass a filter
  without?: Uint8Array | null; // by service: 1 hides its spans and all below them
}

/** Server rows that their client's row stands for when pairs are folded. */
export function hiddenHalves(t: Skeleton, hops: boolean): Uint8Array | null {
  if (!hops || !t.pair) return null;
  const hidden = new Uint8Array(t.n);
  for (let r = 0; r < t.n; r++) if (t.pair[r]! >= 0 && t.parent[r] === t.pair[r]) hidden[r] = 1;
  return hidden;
}

/** The row that stands for r. */
export const standsFor = (t: Skeleton, hidden: Uint8Array | null, r: number) => (hidden?.[r] ? t.parent[r]! : r);

/** Whether most spans are halves of pairs, so that folding is the better first view. */
export function mostlyPairs(t: Skeleton): boolean {
  if (!t.pair) return false;
  let n = 0;
  for (let r = 0; r < t.n; r++) if (t.pair[r]! >= 0) n++;
  return n >= t.n * 0.6;
}

export function layout(t: Skeleton, o: Shown): Layout {
  const hidden = hiddenHalves(t, o.hops);
  const level = new Int32Array(t.n);
  for (let r = 0; r < t.n; r++) {
    const p = t.parent[r]!;
    level[r] = p < 0 ? 0 : hidden?.[r] ? level[p]! : level[p]! + 1;
  }
  const { groups, groupOf } = o.similar ? similar(t, hidden) : { groups: [] as Group[], groupOf: null };
  const keep = o.keep ? withAncestors(t, o.keep, hidden) : null;
  const { out, pruned } = leftOut(t, keep, o.without ?? null);
  const rows = new Int32Array((out ? 2 : 1) * t.n + groups.length);
  const places = new Map<number, Group>();
  let k = 0;
  for (let r = 0; r < t.n; ) {
    if (out?.[r]) {
      const end = r + t.size[r]!;
      const p = t.parent[r]! < 0 ? -1 : standsFor(t, hidden, t.parent[r]!);
      let place = places.get(p);
      if (!place) {
        places.set(p, (place = { first: r, rows: [], errors: 0, took: 0, hidden: { parent: p, spans: 0 } }));
        level[r] = p < 0 ? 0 : level[p]! + 1;
        rows[k++] = -groups.push(place);
      }
      place.hidden!.spans += t.size[r]!;
      for (let i = r; i < end; i++) place.errors += t.flags[i]! & ERROR;
      if (!o.openPlaces?.has(p)) {
        r = end;
        continue;
      }
      out.fill(0, r, end);
    }
    if (hidden?.[r]) {
      r++;
      continue;
    }
    const g = groupOf ? groupOf[r]! : -1;
    if (g >= 0) {
      if (groups[g]!.first === r) rows[k++] = -1 - g;
      if (!o.openGroups.has(groups[g]!.first)) {
        r += t.size[r]!;
        continue;
      }
    }
    rows[k++] = r;
    r += o.collapsed[r] ? t.size[r]! : 1;
  }
  const spans = k - places.size;
  return { rows: rows.subarray(0, spans && k), level, groups, groupOf, out, pruned, spans, halves: hidden };
}

/** Rows that do not pass, or are of a hidden service, with all below them. */
function leftOut(t: Skeleton, keep: Uint8Array | null, without: Uint8Array | null) {
  const out = keep || without ? new Uint8Array(t.n) : null;
  const pruned = { spans: 0, errors: 0 };
  for (let r = 0; out && r < t.n; ) {
    const end = r + t.size[r]!;
    if (without?.[t.service[r]!]) {
      pruned.spans += t.size[r]!;
      for (let i = r; i < end; i++) pruned.errors += t.flags[i]! & ERROR;
    } else if (!keep || keep[r]) {
      r++;
      continue;
    }
    out.fill(1, r, end);
    r = end;
  }
  return { out, pruned };
}

/** Rows that pass, and what leads to them. */
function withAncestors(t: Skeleton, pass: Uint8Array, hidden: Uint8Array | null): Uint8Array {
  const keep = new Uint8Array(t.n);
  for (let r = t.n - 1; r >= 0; r--) {
    if (!keep[r] && !pass[r]) continue;
    keep[r] = 1;
    if (t.parent[r]! >= 0) keep[t.parent[r]!] = 1;
  }
  if (hidden) for (let r = 0; r < t.n; r++) if (hidden[r]) keep[r] = 1; // its client decides
  return keep;
}

/** Siblings with the same service, operation, kind and outcome. */
function similar(t: Skeleton, hidden: Uint8Array | null): { groups: Group[]; groupOf: Int32Array } {
  const seen = new Map<number, number[]>();
  const ops = t.operations.length, kinds = t.kinds.length;
  for (let r = 0; r < t.n; r++) {
    if (hidden?.[r] || t.parent[r]! < 0) continue;
    const p = standsFor(t, hidden, t.parent[r]!);
    const key = ((((p * t.services.length + t.service[r]!) * ops + t.operation[r]!) * kinds + t.kind[r]!) * 2 + (t.flags[r]! & ERROR));
    const list = seen.get(key);
    list ? list.push(r) : seen.set(key, [r]);
  }
  const groups: Group[] = [];
  const groupOf = new Int32Array(t.n).fill(-1);
  for (const rows of seen.values()) {
    if (rows.length < similarFrom) continue;
    for (const r of rows) groupOf[r] = groups.length;
    groups.push({ first: rows[0]!, rows, errors: t.flags[rows[0]!]! & ERROR ? rows.length : 0, took: rows.reduce((s, r) => s + t.took[r]!, 0) });
  }
  return { groups, groupOf };
}

/** The row a line of the layout begins with. */
const firstOf = (l: Layout, i: number) => (l.rows[i]! >= 0 ? l.rows[i]! : l.groups[-1 - l.rows[i]!]!.first);

/** Where a span's row is shown, or the nearest one above that hides it. */
export function indexOf(l: Layout, row: number): number {
  let lo = 0, hi = l.rows.length - 1;
  while (lo < hi) {
    const mid = (lo + hi + 1) >> 1;
    if (firstOf(l, mid) <= row) lo = mid;
    else hi = mid - 1;
  }
  return lo;
}

/** Rows with children, collapsed all, or those of one level. */
export function collapseAll(t: Skeleton, collapsed: Uint8Array, on: boolean) {
  for (let r = 0; r < t.n; r++) collapsed[r] = on && t.size[r]! > 1 ? 1 : 0;
}

const listedMost = 300; // rows in an address

/** Which rows are collapsed, for the address: those, or with - in front those that are not; null: none, or too many either way. */
export function writeCollapsed(t: Skeleton, collapsed: Uint8Array): string | null {
  const shut: string[] = [], open: string[] = [];
  for (let r = 0; r < t.n && (shut.length <= listedMost || open.length <= listedMost); r++) {
    const list = collapsed[r] ? shut : t.size[r]! > 1 ? open : null;
    if (list && list.length <= listedMost) list.push(r.toString(36));
  }
  return shut.length <= listedMost ? shut.join(".") || null : open.length <= listedMost ? "-" + open.join(".") : null;
}

/** Rows for the address, −1 included; null: none, or too many. */
export const writeRows = (rows: ReadonlySet<number>): string | null => (rows.size <= listedMost ? [...rows].map((r) => r.toString(36)).join(".") || null : null);

export const readRows = (text: string | null, n: number): Set<number> => new Set((text ?? "").split(".").map((r) => parseInt(r, 36)).filter((r) => r >= -1 && r < n));

export function readCollapsed(t: Skeleton, collapsed: Uint8Array, text: string) {
  const all = text.startsWith("-");
  if (all) collapseAll(t, collapsed, true);
  for (const r of readRows(text.replace(/^-/, ""), t.n)) collapsed[r] = all ? 0 : 1;
}

/** Collapses the deepest rows that are expanded, or expands the highest that are collapsed. */
export function collapseLevel(t: Skeleton, l: Layout, collapsed: Uint8Array, on: boolean) {
  let at = on ? -1 : Infinity;
  for (const r of l.rows) {
    if (r < 0 || t.size[r]! < 2 || !!collapsed[r] === on) continue;
    at = on ? Math.max(at, l.level[r]!) : Math.min(at, l.level[r]!);
  }
  for (const r of l.rows) if (r >= 0 && t.size[r]! > 1 && l.level[r] === at) collapsed[r] = on ? 1 : 0;
}

/** Expands whatever hides a row. */
export function reveal(t: Skeleton, l: Layout, collapsed: Uint8Array, openGroups: Set<number>, row: number, openPlaces = new Set<number>()) {
  if (l.out?.[row]) {
    let top = row;
    while (t.parent[top]! >= 0 && l.out[t.parent[top]!]) top = t.parent[top]!;
    openPlaces.add(t.parent[top]! < 0 ? -1 : standsFor(t, l.halves, t.parent[top]!));
  }
  for (let r = row; r >= 0; r = t.parent[r]!) {
    if (r !== row) collapsed[r] = 0;
    const g = l.groupOf ? l.groupOf[r]! : -1;
    if (g >= 0) openGroups.add(l.groups[g]!.first);
  }
}

/** Spans that failed, in row order. */
export function errorRows(t: Skeleton): number[] {
  const rows: number[] = [];
  for (let r = 0; r < t.n; r++) if (t.flags[r]! & ERROR) rows.push(r);
  return rows;
}
