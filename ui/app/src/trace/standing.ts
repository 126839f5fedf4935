// How long a span took beside its like: docs/ui-api.md, standing.
import type { Scan } from "../api";
import { count, duration, plural } from "../format";

export interface Standing { spans: number; faster: number; same: number; p50: number; p95: number; scan: Scan }

/** Looked at on each side of the span's start. */
export const halfWindow = 30 * 60e6; // µs

/** The span itself is one of `spans`, and one of `same`, unless what was looked at does not reach it. */
export function standingText(s: Standing): string {
  const others = s.spans - (s.same > 0 ? 1 : 0);
  if (others <= 0) return "no other span like it within half an hour";
  const share = s.faster === others ? `all ${count(others)}` : s.faster === 0 ? `none of ${count(others)}` : `${rounded((100 * s.faster) / others)} % of ${count(others)}`;
  return `slower than ${share} like it within half an hour${s.scan.complete ? "" : ` (of the ${plural(s.scan.spans, "span")} looked at)`}: p50 ${duration(s.p50)}, p95 ${duration(s.p95)}`;
}

/** Never up to what it is not: 99.96 is not 100. */
const rounded = (percent: number) => (percent > 99 ? Math.floor(percent * 100) / 100 : percent < 1 ? Math.ceil(percent * 100) / 100 : Math.round(percent));
