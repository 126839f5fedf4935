// The critical path: which span the answer was waiting for, at each instant.
import type { Skeleton } from "./skeleton";

export interface Path {
  row: Int32Array;
  from: Float64Array;
  to: Float64Array;
  /** Segments of a row, as indices; none if the row is not on the path. */
  of: (row: number) => Int32Array;
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
  const stack = root < 0 ? [] : [root, from(root), from(root) + t.took[root]!]; // row, since, until of each
  const children: number[] = [];
  const later = (x: number, y: number) => from(y) + t.took[y]! - (from(x) + t.took[x]!) || y - x;
  while (stack.length) {
    const until = stack.pop()!, since = stack.pop()!, r = stack.pop()!;
    const begin = Math.max(from(r), since);
    let at = Math.min(until, from(r) + t.took[r]!);
    children.length = 0;
    for (let c = r + 1; c < r + t.size[r]!; c += t.size[c]!) if (t.took[c]! > 0 && from(c) < at) children.push(c);
    if (children.length > 1) children.sort(later);
    for (const c of children) {
      const end = Math.min(from(c) + t.took[c]!, at);
      const start = Math.max(from(c), begin);
      if (from(c) + t.took[c]! > at + 1 || start >= at || end <= begin) continue; // 1 µs: halves are rounded apart
      push(r, end, at);
      stack.push(c, start, end);
      at = start;
    }
    push(r, begin, at);
  }
  return { row: new Int32Array(row), from: new Float64Array(a), to: new Float64Array(b), of: byRow(t.n, row) };
}

/** Finds the segments of a row without an object for each. */
function byRow(n: number, row: number[]): Path["of"] {
  const end = new Uint32Array(n + 1), at = new Int32Array(row.length);
  for (const r of row) end[r + 1]!++;
  for (let r = 0; r < n; r++) end[r + 1]! += end[r]!;
  const next = end.slice();
  row.forEach((r, i) => (at[next[r]!++] = i));
  return (r) => at.subarray(end[r]!, end[r + 1]!);
}
