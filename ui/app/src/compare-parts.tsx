// What the views of a comparison have in common.
import type { Merged } from "./compare-merge";
import { duration, percent } from "./format";
import { Service } from "./kit";
import { shortOperation } from "./mesh";
import { go } from "./router";
import { hex, type Skeleton } from "./trace/skeleton";

export interface Pair { a: Skeleton; b: Skeleton }

export const words = { same: "", added: "+ added", removed: "− removed", more: "▲ more", fewer: "▼ fewer" };

export function Name({ of, level = 0 }: { of: Merged; level?: number }) {
  return (
    <span className="trace-name both" style={{ paddingLeft: Math.min(level, 20) * 14 }}>
      <b>
        <Service name={of.service.slice(0, 80)} />
      </b>
      <span className="dim" title={of.operation}>
        <bdi>{shortOperation(of.operation).slice(0, 120)}</bdi>
      </span>
    </span>
  );
}

/** Opens the span of B, or of A where B has none. */
export function openSpan(m: Merged, { a, b }: Pair) {
  const [t, row] = m.b.row >= 0 ? [b, m.b.row] : [a, m.a.row];
  go(`trace/${t.id}?span=${hex(t.views[row]!)}`);
}

/** By how much B takes longer; `none`: what to say where one of them has no such span. */
export function Delta({ a, b, both, none = "–" }: { a: number; b: number; both: boolean; none?: string }) {
  const d = b - a;
  if (!both) return <span className="dim">{none}</span>;
  if (Math.abs(d) < 0.5) return <span className="dim">0</span>;
  return (
    <span className={d > 0 ? "diff slower" : "diff faster"}>
      {d > 0 ? "▲ +" : "▼ −"}
      {duration(Math.abs(d))} ({d > 0 ? "+" : "−"}
      {percent(Math.abs(d), a)})
    </span>
  );
}
