// By how much spans seem to lie outside their parents because the clocks of two
// hosts differ: Jaeger's algorithm, as the server has it (query/skew.go). The
// reader asks for it, so there is no limit.
import type { Placed } from "./assemble";
import type { Span } from "./span";

/** A span's host, as Jaeger knows it: by its address, "" unknown. */
const hostOf = (s: Span): string => s.local.ipv6 ?? s.local.ip ?? String(s.process.find((t) => t.key === "ip")?.value ?? "");

/** µs to be added to each start; null if no clock is wrong. Rows are in order: parents before their children. */
export function shifts(list: Placed[], parent: Int32Array): Float64Array | null {
  const n = list.length, origin = list[0]!.span.start;
  const hosts: string[] = [], delta = new Float64Array(n); // ns
  const from = Float64Array.from(list, ({ span: { start } }) => (start.us - origin.us) * 1000 + start.ns - origin.ns);
  let any = false;
  for (let r = 0; r < n; r++) {
    const s = list[r]!.span, p = parent[r]!;
    hosts[r] = hostOf(s);
    if (p < 0) continue;
    delta[r] = hosts[r] && hosts[r] === hosts[p] ? delta[p]! : skewOf(from[r]!, s.took, from[p]! + delta[p]!, list[p]!.span.took);
    if (delta[r]) any = true;
  }
  return any ? delta.map((ns) => ns / 1000) : null;
}

/** By how much the child must be shifted to fit into its parent, where that is by now. */
function skewOf(from: number, took: number, parentFrom: number, parentTook: number): number {
  if (took > parentTook) return Math.max(0, parentFrom - from);
  if (from >= parentFrom && from + took <= parentFrom + parentTook) return 0;
  return parentFrom + Math.floor((parentTook - took) / 2) - from;
}
