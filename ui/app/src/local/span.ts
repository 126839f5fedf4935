// A span as files have it, whatever their form: what the server's own span can
// hold, so that a file is shown as the store would show it. Ids are 16 (traces:
// 16 or 32) lower-case digits, which compare as their numbers do.
import type { Endpoint as ShownEndpoint, SpanDetail, Tag } from "../api";

export const SHARED = 2, DEBUG = 4, NO_START = 8; // the skeleton's bits
export const kinds = ["", "internal", "server", "client", "producer", "consumer"];
export const SERVER = 2, CLIENT = 3, PRODUCER = 4, CONSUMER = 5;
export const OK = 1, ERROR = 2; // of status
export const missingService = "missing-service-name";

/** A time: whole µs since the epoch, and the ns beyond; one number cannot hold both. */
export interface Time { us: number; ns: number }
export interface Endpoint extends ShownEndpoint { ipv6?: string }
export interface Event { time: Time; name: string; fields: Tag[] }
export interface Link { traceId: string; spanId: string; type: string; tags: Tag[] }

export interface Span {
  trace: string;
  id: string;
  parent: string; // "" none
  kind: number;
  flags: number;
  status: number;
  start: Time;
  took: number; // ns
  name: string;
  local: Endpoint;
  remote: Endpoint;
  tags: Tag[];
  events: Event[];
  links: Link[];
  process: Tag[];
  scope?: { name: string; version: string; tags: Tag[] };
  message: string;
  state: string;
  warnings: string[];
}

/** What is wrong with a file, and where: keys and indices from its top. */
export class Malformed extends Error {
  constructor(message: string, readonly path: (string | number)[] = []) {
    super(message);
  }
}

/** Reads a part; what is wrong with it is told with where it is. */
export function within<T>(path: (string | number)[], read: () => T): T {
  try {
    return read();
  } catch (e) {
    throw e instanceof Malformed ? new Malformed(e.message, [...path, ...e.path]) : e;
  }
}

export type Json = { [key: string]: unknown };
export const isObject = (v: unknown): v is Json => typeof v === "object" && v !== null && !Array.isArray(v);

/** A list under a key; none is an empty one. */
export function listOf(o: Json, key: string): unknown[] {
  const v = o[key];
  if (v === undefined || v === null) return [];
  if (!Array.isArray(v)) throw new Malformed(`${key} is not a list`, [key]);
  return v;
}

export function objectIn(v: unknown, what: string): Json {
  if (!isObject(v)) throw new Malformed(`${what} is not an object`);
  return v;
}

export const textOf = (v: unknown): string => (typeof v === "string" ? v : v === undefined || v === null ? "" : typeof v === "object" ? JSON.stringify(v) : String(v));

/** An id of 1 to `most` hexadecimal digits, padded to 16 or 32. */
export function idOf(o: Json, key: string, most: 16 | 32): string {
  const v = o[key];
  if (v === undefined || v === null || v === "") throw new Malformed(`${key} is missing`, key in o ? [key] : []);
  const id = parseID(textOf(v), most);
  if (id === null) throw new Malformed(`${key} ${JSON.stringify(v).slice(0, 60)} is not an id of 1 to ${most} hexadecimal digits`, [key]);
  if (!id) throw new Malformed(`${key} is all zeros`, [key]);
  return id;
}

/** null: not an id; "": zero. */
export function parseID(text: string, most: 16 | 32): string | null {
  if (!/^[0-9a-fA-F]+$/.test(text)) return null;
  const digits = text.toLowerCase().replace(/^0+/, "");
  if (!digits) return "";
  if (digits.length > most) return null;
  return digits.padStart(digits.length > 16 ? 32 : 16, "0");
}

/** A number of µs, or its text; fractions are rounded, what is missing is 0. */
export function microsIn(o: Json, key: string): number {
  const v = o[key];
  if (v === undefined || v === null || v === "") return 0;
  const n = typeof v === "number" ? v : typeof v === "string" && /^[-+\d.eE]+$/.test(v) ? Number(v) : NaN;
  if (!(Math.abs(n) <= 9_223_372_036_854_775)) throw new Malformed(`${key} ${JSON.stringify(v).slice(0, 60)} is no number of microseconds`, [key]);
  return Math.round(n);
}

export const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
export const compareTime = (a: Time, b: Time) => a.us - b.us || a.ns - b.ns;

/** A value as searches compare it; the server's Value.String. */
export function valueText(t: Tag): string {
  if (t.type === "binary") return Array.from(bytes(String(t.value)), (b) => b.toString(16).padStart(2, "0")).join("");
  if (t.type === "float64" && typeof t.value === "number") return floatText(t.value);
  return typeof t.value === "string" ? t.value : textOf(t.value);
}

function bytes(base64: string): Uint8Array {
  try {
    return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}

/** The shortest form as Go writes it: with an exponent below 1e-4 and from 1e6 on. */
function floatText(n: number): string {
  if (n === 0) return Object.is(n, -0) ? "-0" : "0";
  const [, digits, exponent] = /^-?([\d.]+)e([+-]\d+)$/.exec(n.toExponential())!;
  const e = Number(exponent);
  if (e >= -4 && e < 6) return String(n);
  return `${n < 0 ? "-" : ""}${digits}e${e < 0 ? "-" : "+"}${String(Math.abs(e)).padStart(2, "0")}`;
}

export const serviceOf = (s: Span) => s.local.service || missingService;

export function isError(s: Span): boolean {
  if (s.status) return s.status === ERROR;
  const t = s.tags.find((x) => x.key === "error");
  return t !== undefined && t.value !== false && t.value !== "false";
}

/** What fields of a span say, under the names that Jaeger shows tags for them with; "" nothing. */
export function fieldTag(s: Span, key: string): string {
  const ip = (e: Endpoint) => e.ipv6 ?? e.ip ?? "";
  switch (key) {
    case "error": return isError(s) ? "true" : "";
    case "span.kind": return kinds[s.kind]!;
    case "peer.service": return s.remote.service ?? "";
    case "net.host.ip": return ip(s.local);
    case "net.host.port": return s.local.port ? String(s.local.port) : "";
    case "net.peer.ip": return ip(s.remote);
    case "net.peer.port": return s.remote.port ? String(s.remote.port) : "";
    case "otel.status_code": return isError(s) ? "ERROR" : s.status === OK ? "OK" : "";
    case "otel.status_description": return s.message;
    case "otel.scope.name": return s.scope?.name ?? "";
    case "otel.scope.version": return s.scope?.version ?? "";
    case "w3c.tracestate": return s.state;
  }
  return "";
}

/** Everything about a span, as the server tells it. */
export function detailOf(s: Span, view: string): SpanDetail {
  const end = (e: Endpoint) => (Object.keys(e).length ? e : undefined);
  const warnings = [...s.warnings];
  if (s.flags & NO_START) warnings.push("the span came without a start time; the one shown is the first of the trace");
  return {
    id: s.id, view, parent: s.parent || undefined, service: serviceOf(s), operation: s.name, kind: kinds[s.kind] || undefined,
    start: s.start.us, startNs: `${s.start.us}${String(s.start.ns).padStart(3, "0")}`, duration: s.took / 1000, error: isError(s),
    status: ["", "ok", "error"][s.status] || undefined, statusMessage: s.message || undefined,
    shared: s.flags & SHARED ? true : undefined, debug: s.flags & DEBUG ? true : undefined, noStart: s.flags & NO_START ? true : undefined,
    tags: s.tags, events: s.events.map((e) => ({ time: e.time.us, name: e.name, fields: e.fields.length ? e.fields : undefined })),
    links: s.links.length ? s.links : undefined, process: s.process.length ? s.process : undefined,
    local: end(s.local), remote: end(s.remote), scope: s.scope, traceState: s.state || undefined, warnings: warnings.length ? warnings : undefined,
  };
}

export const newSpan = (trace: string, id: string): Span => ({
  trace, id, parent: "", kind: 0, flags: 0, status: 0, start: { us: 0, ns: 0 }, took: 0, name: "", local: {}, remote: {}, tags: [], events: [], links: [], process: [], message: "", state: "", warnings: [],
});
