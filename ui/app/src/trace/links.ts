// Links that the operator wants on tags and traces: linkPatterns of Jaeger's
// ui-config.json, with Jaeger's meaning. A pattern with a parameter that is not
// there gives no link, nor does one whose link would lead to anything but HTTP.
import type { SpanDetail, Tag } from "../api";
import { config, safeURL } from "../config";
import type { Skeleton } from "./skeleton";

export interface ExternalLink { url: string; text: string }
export type LinkKind = "tags" | "process" | "logs" | "traces";
type Values = (name: string) => unknown; // undefined: it is not there

interface Pattern { type: Test; key: Test; value: Test; url: string; text: string }
type Test = (v: unknown) => boolean;

/** OpenTelemetry's words for the same things. */
const alias: Record<LinkKind, string> = { tags: "attributes", process: "resource", logs: "events", traces: "traces" };

export function compile(patterns: unknown[]): Pattern[] {
  return patterns.flatMap((p) => {
    if (typeof p !== "object" || p === null) return [];
    const { type, key, value, url, text } = p as Record<string, unknown>;
    const tests = [type, key, value].map(test);
    if (typeof url !== "string" || typeof text !== "string" || tests.some((t) => !t)) return [];
    return [{ type: tests[0]!, key: tests[1]!, value: tests[2]!, url, text }];
  });
}

/** A text means itself, a list any of its own, nothing anything; the rest cannot be meant. */
function test(want: unknown): Test | null {
  if (want === undefined || want === null) return () => true;
  if (typeof want === "string") return (v) => v === want;
  return Array.isArray(want) ? (v) => want.includes(v) : null;
}

export const patterns = compile(config.linkPatterns);

type Format = (v: unknown, ...args: string[]) => unknown;
/** They leave alone what they are not for. */
const formats: Record<string, Format> = {
  epoch_micros_to_date_iso: (v) => (typeof v === "number" && Math.abs(v) <= 8.64e18 ? new Date(v / 1000).toISOString() : v),
  pad_start: (v, length, fill) => (typeof v === "string" && Number(length) <= 1000 ? v.padStart(Number(length), fill) : v),
  add: (v, n) => (typeof v === "number" && Number.isInteger(Number(n)) ? v + Number(n) : v),
};

/** The template with its #{name | format …} filled in; null if a name has no value. */
function fill(template: string, value: Values, encode: (s: string) => string): string | null {
  let whole = true;
  const filled = template.replace(/#\{([^{}]*)\}/g, (_, inner: string) => {
    const [name, ...calls] = inner.split("|").map((s) => s.trim());
    const v = value(name!);
    if (v === undefined || v === null) return (whole = false), "";
    const formatted = calls.reduce((x, call) => {
      const [f, ...args] = call.split(/ +/);
      return Object.hasOwn(formats, f!) ? formats[f!]!(x, ...args) : x;
    }, v as unknown);
    return encode(typeof formatted === "object" ? JSON.stringify(formatted) : String(formatted));
  });
  return whole ? filled : null;
}

/** The links of those patterns that are for this, and whether one lacks a value. */
function links(among: Pattern[], value: Values): { links: ExternalLink[]; missing: boolean } {
  let missing = false;
  const found = among.flatMap((p) => {
    const url = fill(p.url, value, encode), text = fill(p.text, value, (s) => s);
    if (url === null || text === null) return (missing = true), [];
    return safeURL(url) ? [{ url, text: text.slice(0, 300) || url }] : [];
  });
  return { links: found, missing };
}

/** Lone halves of surrogate pairs have no encoding; they must not stop the page. */
const encode = (s: string) => encodeURIComponent(s.replace(/\p{Surrogate}/gu, "\ufffd"));

/** What of the whole trace a template can name. */
function ofTrace(t: Skeleton): Values {
  const values: Record<string, unknown> = {
    traceID: t.id, traceName: t.n ? `${t.services[t.service[0]!]}: ${t.operations[t.operation[0]!]}` : "",
    duration: t.duration, startTime: t.start, endTime: t.start + t.duration,
  };
  return (name) => (Object.hasOwn(values, name) ? values[name] : undefined);
}

export function traceLinks(t: Skeleton, from = patterns): ExternalLink[] {
  const trace = ofTrace(t);
  const mine = from.filter((p) => p.type("traces"));
  return mine.length ? links(mine, (name) => trace(name.replace(/^trace\./, ""))).links : [];
}

const valueIn = (tags: Tag[] | undefined, key: string) => tags?.find((x) => x.key === key)?.value;

/** What of a span a template can name: Jaeger's words, its tags, then its process. */
function ofSpan(s: SpanDetail, name: string): unknown {
  switch (name) {
    case "spanID":
      return s.view;
    case "operationName":
      return s.operation;
    case "duration":
      return s.duration;
    case "startTime":
      return s.start;
  }
  // the last three are tags in Jaeger and fields here
  const shown: Record<string, unknown> = { "span.kind": s.kind || undefined, error: s.error || undefined, "peer.service": s.remote?.service };
  return valueIn(s.tags, name) ?? valueIn(s.process, name) ?? (Object.hasOwn(shown, name) ? shown[name] : undefined);
}

/** The links of one tag. `items` are the tags it stands among; what is not there is
 *  looked for in the span, then in those above it, `chain` being the nearest first. */
export function tagLinks(kind: LinkKind, tag: Tag, items: Tag[], chain: SpanDetail[], t: Skeleton, from = patterns): { links: ExternalLink[]; missing: boolean } {
  const mine = from.filter((p) => (p.type(kind) || p.type(alias[kind])) && p.key(tag.key) && p.value(tag.value));
  if (!mine.length) return { links: [], missing: false };
  const trace = ofTrace(t);
  return links(mine, (name) => {
    if (name.startsWith("trace.")) return trace(name.slice(6));
    const here = tag.key === name ? tag.value : valueIn(items, name);
    if (here !== undefined || kind === "process") return here; // one process stands under many spans
    for (const s of chain) {
      const v = ofSpan(s, name);
      if (v !== undefined) return v;
    }
    return undefined;
  });
}

/** Rows above a row, the nearest first, as many as are asked for at once. */
export function ancestors(t: Skeleton, row: number): number[] {
  const rows: number[] = [];
  for (let r = t.parent[row]!; r >= 0 && rows.length < 100; r = t.parent[r]!) rows.push(r);
  return rows;
}
