// A span and what is below it, as if that were the trace. Rows of a subtree are
// one after the other, so its columns are parts of the whole's.
import { type Column, ERROR, ORPHAN, type Skeleton } from "./skeleton";

export interface Subtree { t: Skeleton; before: number } // before: µs from the start of the whole to that of the part

export function subtree(all: Skeleton, root: number): Subtree {
  const end = root + all.size[root]!, n = end - root;
  const cut = <T extends Column | null>(c: T) => (c as Uint8Array | null)?.subarray(root, end) as unknown as T;
  const parent = new Int32Array(n), level = new Uint32Array(n), from = new Float64Array(n), service = new Uint32Array(n);
  const flags = Uint8Array.from(cut(all.flags) as Uint8Array);
  flags[0]! &= ~ORPHAN;
  const pair = all.pair && new Int32Array(n);
  const services: string[] = [], number = new Map<number, number>();
  let before = Infinity, last = 0, errors = 0, depth = 0;
  for (let r = root; r < end; r++) before = Math.min(before, all.from[r]!);
  for (let r = root, k = 0; r < end; r++, k++) {
    parent[k] = r === root ? -1 : all.parent[r]! - root;
    level[k] = all.level[r]! - all.level[root]!;
    from[k] = all.from[r]! - before;
    if (pair) pair[k] = all.pair![r]! >= root && all.pair![r]! < end ? all.pair![r]! - root : -1;
    let s = number.get(all.service[r]!);
    if (s === undefined) number.set(all.service[r]!, (s = services.push(all.services[all.service[r]!]!) - 1));
    service[k] = s;
    last = Math.max(last, from[k]! + all.took[r]!);
    depth = Math.max(depth, level[k]!);
    if (flags[k]! & ERROR) errors++;
  }
  const columns: Record<string, Column> = {};
  for (const c of Object.keys(all.dicts)) if (c !== "service" && c !== "operation" && all.columns[c]) columns[c] = cut(all.columns[c]);
  const t: Skeleton = {
    ...all, start: all.start + before, duration: last, n, errors, depth, roots: 1, orphans: 0, parent, level, size: cut(all.size), from, took: cut(all.took),
    service, operation: cut(all.operation), kind: cut(all.kind), flags, pair, shift: cut(all.shift), proxy: cut(all.proxy), columns,
    ids: all.ids.subarray(root, end), views: all.views.subarray(root, end), services,
    warnings: all.warnings.filter((w) => w.row >= root && w.row < end).map((w) => ({ ...w, row: w.row - root })),
  };
  return { t, before };
}
