// The search as it stands in the address: Jaeger's parameters with Jaeger's
// meaning (old and new links alike), and what our page adds.
import { config, units } from "../config";
import { formatLogfmt, parseLogfmt } from "../logfmt";

export interface Search {
  service: string;
  operation: string;
  tags: Record<string, string>;
  q: string;
  errors: "" | "trace" | "span";
  lookback: string; // "1h", "custom"
  start: number | null; // µs
  end: number | null;
  limit: number;
  minDuration: string;
  maxDuration: string;
  traceIDs: string[];
  /** The parameter that could not be read, and why. */
  problem?: { param: string; message: string };
}

export const lookbacks = ["5m", "15m", "30m", "1h", "2h", "3h", "6h", "12h", "24h", "2d", "3d", "5d", "7d", "2w", "3w", "4w"];
export const defaultLookback = lookbacks.includes(config.lookback) ? config.lookback : "1h";

/** "2d" → µs; null if it is not a look-back. */
export function lookbackMicros(s: string): number | null {
  const m = /^(\d{1,4})([mhdw])$/.exec(s);
  return m ? Number(m[1]) * units[m[2]!]! : null;
}

export function lookbackLabel(s: string): string {
  const m = /^(\d+)([mhdw])$/.exec(s);
  if (!m) return s;
  const n = Number(m[1]);
  const name = { m: "minute", h: "hour", d: "day", w: "week" }[m[2]!];
  return `Last ${n === 1 ? name : `${n} ${name}s`}`;
}

/** The look-backs to choose from, up to the longest that is wanted. */
export function lookbackChoices(max = config.maxLookback): { value: string; label: string }[] {
  const longest = max ? (lookbackMicros(max.value) ?? Infinity) : Infinity;
  const all = lookbacks.filter((l) => lookbackMicros(l)! <= longest).map((value) => ({ value, label: lookbackLabel(value) }));
  if (!max || longest === Infinity) return all;
  const last = all.at(-1);
  const label = max.label ? `Last ${max.label}` : lookbackLabel(max.value);
  if (last && lookbackMicros(last.value) === longest) last.label = label;
  else all.push({ value: max.value, label });
  return all;
}

const epoch = (s: string | null) => (s && /^\d{1,17}$/.test(s) ? Number(s) : null);

/** Jaeger's words for "all" mean no condition. */
const unless = (s: string | null, ...all: string[]) => (s && !all.includes(s) ? s : "");

/** Reads an address. Of repeated parameters the first counts, as in Jaeger, but of tags all do. */
export function readSearch(p: URLSearchParams): Search {
  const s: Search = {
    service: unless(p.get("service"), "__all_services__", "-"),
    operation: unless(p.get("operation"), "all", "__all_operations__"),
    tags: {},
    q: p.get("q") ?? "",
    errors: p.get("errors") === "trace" || p.get("errors") === "span" ? (p.get("errors") as "trace" | "span") : "",
    lookback: p.get("lookback") ?? "",
    start: epoch(p.get("start")),
    end: epoch(p.get("end")),
    limit: Math.min(config.maxLimit, Math.max(1, Number(p.get("limit")) || 20)),
    minDuration: p.get("minDuration") ?? "",
    maxDuration: p.get("maxDuration") ?? "",
    traceIDs: p.getAll("traceID").filter(Boolean),
  };
  for (const t of p.getAll("tag")) {
    const colon = t.indexOf(":");
    if (colon > 0) s.tags[t.slice(0, colon)] = t.slice(colon + 1);
  }
  for (const t of p.getAll("tags").filter(Boolean)) {
    try {
      const read: unknown = JSON.parse(t);
      if (typeof read !== "object" || read === null || Array.isArray(read)) throw new Error("not an object");
      for (const [k, v] of Object.entries(read)) s.tags[k] = typeof v === "string" ? v : JSON.stringify(v);
    } catch {
      s.problem = { param: "tags", message: `the link's tags are not a JSON object: ${t.slice(0, 80)}` };
    }
  }
  if (!s.lookback && s.start !== null && s.end !== null) s.lookback = roundLookback(s.end - s.start);
  if (s.lookback !== "custom" && lookbackMicros(s.lookback) === null) s.lookback = s.start !== null ? "custom" : defaultLookback;
  return s;
}

/** The standard look-back that is just as long, or "custom". */
function roundLookback(length: number): string {
  return lookbacks.find((l) => Math.abs(lookbackMicros(l)! - length) < 60e6) ?? "custom";
}

/** The search with start and end, so that its link means the same later. */
export function withRange(s: Search, now: number): Search {
  if (s.start !== null && s.end !== null) return s;
  const back = lookbackMicros(s.lookback) ?? lookbackMicros(defaultLookback)!;
  return { ...s, start: s.start ?? (s.end ?? now) - back, end: s.end ?? now - config.adjustEnd };
}

/** The parameters of a search, as Jaeger's form writes them, then ours. */
export function writeSearch(s: Search): URLSearchParams {
  const p = new URLSearchParams();
  const put = (k: string, v: string | number | null) => v !== null && v !== "" && p.set(k, String(v));
  if (s.traceIDs.length) {
    for (const id of s.traceIDs) p.append("traceID", id);
    return p;
  }
  put("end", s.end);
  put("limit", s.limit);
  put("lookback", s.lookback);
  put("maxDuration", s.maxDuration);
  put("minDuration", s.minDuration);
  put("operation", s.operation);
  put("service", s.service);
  put("start", s.start);
  if (Object.keys(s.tags).length) put("tags", JSON.stringify(s.tags));
  put("q", s.q);
  put("errors", s.errors);
  return p;
}

/** What to ask the server; the range must be set. */
export function apiQuery(s: Search, columns: string[] = []): string {
  const p = writeSearch(s);
  p.delete("lookback");
  if (columns.length) p.set("columns", columns.join(","));
  return p.toString();
}

/** Tags as the form's text, and back. */
export const tagsText = (s: Search) => formatLogfmt(s.tags);
export const readTags = parseLogfmt;

/** A brush: a box of time and duration, both µs. */
export interface Brush { x0: number; x1: number; y0: number; y1: number }

export function readBrush(text: string | null): Brush | null {
  const n = (text ?? "").split(",").map(Number);
  return text && n.length === 4 && n.every(Number.isFinite) ? { x0: n[0]!, x1: n[1]!, y0: n[2]!, y1: n[3]! } : null;
}
export const writeBrush = (b: Brush | null) => (b ? [b.x0, b.x1, b.y0, b.y1].map((n) => Math.round(n)).join(",") : null);
