// Statistics of a trace's spans by a column, and self times.
import { ERROR, type Skeleton, text } from "./skeleton";

/** Time of a span in which none of its children ran, for all rows. */
export function selfTimes(t: Skeleton): Float64Array {
  const self = new Float64Array(t.n);
  const reach = new Float64Array(t.n); // how far the children seen so far cover their parent
  for (let r = 0; r < t.n; r++) {
    self[r] = t.took[r]!;
    reach[r] = t.from[r]!;
    const p = t.parent[r]!;
    if (p < 0) continue;
    // siblings come by start, so what they cover together grows to the right
    const end = Math.min(t.from[r]! + t.took[r]!, t.from[p]! + t.took[p]!);
    const start = Math.max(t.from[r]!, reach[p]!);
    if (end > start) {
      self[p]! -= end - start;
      reach[p] = end;
    }
  }
  for (let r = 0; r < t.n; r++) if (self[r]! < 0) self[r] = 0;
  return self;
}

export interface Stat { key: string; count: number; errors: number; total: number; self: number; avg: number; min: number; p50: number; p95: number; max: number; rows: number[] }

/** What spans can be grouped by without asking the server. */
export const groupings = ["service", "operation", "service and operation", "kind", "revision", "response", "status", "upstream", "method", "path", "namespace", "node"] as const;

export function keyOf(t: Skeleton, by: string): (r: number) => string {
  switch (by) {
    case "service":
      return (r) => t.services[t.service[r]!]!;
    case "operation":
      return (r) => t.operations[t.operation[r]!]!;
    case "service and operation":
      return (r) => `${t.services[t.service[r]!]}: ${t.operations[t.operation[r]!]}`;
    case "kind":
      return (r) => t.kinds[t.kind[r]!] || "(none)";
    case "revision":
      return (r) => `${t.services[t.service[r]!]!.split(".")[0]} ${text(t, "revision", r) || "(none)"}`;
    default:
      return (r) => text(t, by, r) || "(none)";
  }
}

/** The nearest-rank percentile of sorted numbers. */
export const percentile = (sortedValues: ArrayLike<number>, p: number) => (sortedValues.length ? sortedValues[Math.max(0, Math.ceil((p / 100) * sortedValues.length) - 1)]! : NaN);

export function statistics(t: Skeleton, key: (r: number) => string, pass: (r: number) => boolean = () => true): Stat[] {
  const self = selfTimes(t);
  const by = new Map<string, number[]>();
  for (let r = 0; r < t.n; r++) {
    if (!pass(r)) continue;
    const k = key(r);
    const rows = by.get(k);
    rows ? rows.push(r) : by.set(k, [r]);
  }
  return [...by].map(([k, rows]) => {
    const took = Float64Array.from(rows, (r) => t.took[r]!).sort();
    let total = 0, own = 0, errors = 0;
    for (const r of rows) {
      total += t.took[r]!;
      own += self[r]!;
      if (t.flags[r]! & ERROR) errors++;
    }
    return { key: k, count: rows.length, errors, total, self: own, avg: total / rows.length, min: took[0]!, p50: percentile(took, 50), p95: percentile(took, 95), max: took[took.length - 1]!, rows };
  });
}
