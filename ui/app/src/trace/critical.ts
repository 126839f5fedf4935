// The critical path: which span the answer was waiting for, at each instant.
import type { Skeleton } from "./skeleton";

export interface Path {
  row: Int32Array;
  from: Float64Array;
  to: Float64Array;
  /** Segments of a row, as indices; undefined if the row is not on the path. */
  of: Map<number, number[]>;
}

/** Walks back from the end of the longest root. What a child did before its
 *  parent began or after it ended nobody waited for. */
export function criticalPath(t: Skeleton, from: (r: number) => number = (r) => t.from[r]!): Path {
  const row: number[] = [], a: number[] = [], b: number[] = [];
  let root = -1;
  for (let r = 0; r < t.n; r += t.size[r]!) if (root < 0 || t.took[r]! > t.took[root]!) root = r;
  const push = (r: number, x: number, y: number) => {
    if (y - x > 0) (row.push(r), a.push(x), b.push(y));
  };
  const stack: [row: number, since: number, until: number][] = root < 0 ? [] : [[root, from(root), from(root) + t.took[root]!]];
  while (stack.length) {
    const [r, since, until] = stack.pop()!;
    const begin = Math.max(from(r), since);
    let at = Math.min(until, from(r) + t.took[r]!);
    const children: number[] = [];
    for (let c = r + 1; c < r + t.size[r]!; c += t.size[c]!) if (t.took[c]! > 0 && from(c) < at) children.push(c);
    children.sort((x, y) => from(y) + t.took[y]! - (from(x) + t.took[x]!) || y - x);
    for (const c of children) {
      const end = Math.min(from(c) + t.took[c]!, at);
      const start = Math.max(from(c), begin);
      if (from(c) + t.took[c]! > at + 1 || start >= at || end <= begin) continue; // 1 µs: halves are rounded apart
      push(r, end, at);
      stack.push([c, start, end]);
      at = start;
    }
    push(r, begin, at);
  }
  const of = new Map<number, number[]>();
  row.forEach((r, i) => (of.get(r)?.push(i) ?? of.set(r, [i])));
  return { row: Int32Array.from(row), from: Float64Array.from(a), to: Float64Array.from(b), of };
}
