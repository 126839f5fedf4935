// The spans of one trace put together: each once, in order, under an id of its
// own, with its parent. The server does the same (assemble.go, tree.go,
// query/trace.go); a test holds the two together.
import { CLIENT, compareText, compareTime, CONSUMER, type Endpoint, NO_START, PRODUCER, SERVER, SHARED, type Span } from "./span";

export interface Placed {
  span: Span;
  parent: number; // index, −1 none or not there
  view: string; // an id that no other span of the trace has
  orphan: boolean; // its parent is not there
}

export function assemble(spans: Span[]): Placed[] {
  const first = giveStarts(spans);
  const list = first.length ? merged(first).sort(compareSpans) : [];
  const views = viewIDs(list);
  const parents = parentsOf(list);
  const present = new Set(views);
  return list.map((span, i) => {
    const parent = parents[i]!;
    const missing = parent < 0 && span.parent && span.parent !== span.id ? span.parent : "";
    const cycle = missing !== "" && present.has(missing);
    if (cycle) warn(span, `parent ${missing} not shown: it is a descendant of this span`);
    return { span, parent, view: views[i]!, orphan: missing !== "" && !cycle };
  });
}

function warn(s: Span, text: string) {
  if (!s.warnings.includes(text)) s.warnings.push(text);
}

/** Spans without a start begin with the trace: when they arrived nobody knows. */
function giveStarts(spans: Span[]): Span[] {
  let first: Span["start"] | null = null;
  for (const s of spans) if (s.start.us > 0 && (!first || compareTime(s.start, first) < 0)) first = s.start;
  for (const s of spans)
    if (s.start.us === 0) {
      s.flags |= NO_START;
      s.start = { ...(first ?? { us: 0, ns: 0 }) };
    }
  return spans;
}

const isCaller = (k: number) => k === CLIENT || k === PRODUCER;
const isCallee = (k: number) => k === SERVER || k === CONSUMER;

/** By start, then id, then what tells spans of one id apart: callers before callees. */
function compareSpans(a: Span, b: Span): number {
  return (
    compareTime(a.start, b.start) || compareText(a.id, b.id) || (a.flags & SHARED) - (b.flags & SHARED) || Number(isCaller(b.kind)) - Number(isCaller(a.kind)) ||
    compareText(a.local.service ?? "", b.local.service ?? "") || a.took - b.took || (a === b ? 0 : compareText(JSON.stringify(a), JSON.stringify(b)))
  );
}

const maxParts = 16;

/** Drops what was sent twice and joins what was sent in parts. */
function merged(spans: Span[]): Span[] {
  const groups = new Map<string, Span[]>();
  for (const s of spans) {
    const g = groups.get(s.id);
    g ? g.push(s) : groups.set(s.id, [s]);
  }
  if (groups.size === spans.length) return spans;
  const out: Span[] = [];
  for (const g of groups.values()) {
    if (g.length === 1) {
      out.push(g[0]!);
      continue;
    }
    const distinct = [...new Map(g.map((s) => [JSON.stringify(s.flags & NO_START ? { ...s, start: 0 } : s), s])).values()].sort(compareSpans);
    if (distinct.length > maxParts) {
      for (const s of distinct) out.push(s);
      continue;
    }
    const kept: Span[] = [];
    for (const s of distinct) {
      const i = kept.findIndex((k) => arePartsOfOne(k, s));
      if (i < 0) kept.push(s);
      else kept[i] = join(kept[i]!, s);
    }
    out.push(...kept);
  }
  return out;
}

const agree = (a: unknown, b: unknown) => a === b || !a || !b;
const ends = ["service", "ip", "ipv6", "port"] as const;

function arePartsOfOne(a: Span, b: Span): boolean {
  const known = !(a.flags & NO_START) && !(b.flags & NO_START);
  const sameEnd = (x: Endpoint, y: Endpoint) => ends.every((k) => agree(x[k], y[k]));
  return (
    (!known || !a.took || !b.took) && (a.flags & SHARED) === (b.flags & SHARED) && (!known || compareTime(a.start, b.start) === 0) &&
    agree(a.took, b.took) && agree(a.parent, b.parent) && agree(a.kind, b.kind) && agree(a.name, b.name) && agree(a.status, b.status) && sameEnd(a.local, b.local) && sameEnd(a.remote, b.remote)
  );
}

function join(a: Span, b: Span): Span {
  const more = <T>(x: T[], y: T[]) => {
    const had = new Set(x.map((v) => JSON.stringify(v)));
    return [...x, ...y.filter((v) => !had.has(JSON.stringify(v)))];
  };
  return {
    ...a, start: a.flags & NO_START ? b.start : a.start, flags: ((a.flags | b.flags) & ~NO_START) | (a.flags & b.flags & NO_START), took: a.took || b.took,
    parent: a.parent || b.parent, kind: a.kind || b.kind, name: a.name || b.name, status: a.status || b.status, message: a.message || b.message, state: a.state || b.state,
    local: { ...b.local, ...a.local }, remote: { ...b.remote, ...a.remote }, tags: more(a.tags, b.tags), process: more(a.process, b.process), links: more(a.links, b.links), warnings: more(a.warnings, b.warnings),
    events: more(a.events, b.events).sort((x, y) => compareTime(x.time, y.time) || compareText(x.name, y.name)), scope: a.scope?.name ? a.scope : b.scope,
  };
}

interface Group { caller: number; server: number; first: number; services: Map<string, number> | null }

/** Where spans share an id, the server's half is the child of the client's; children belong to the half of their service. */
function parentsOf(spans: Span[]): Int32Array {
  const ids = new Map<string, Group>();
  spans.forEach((s, i) => {
    let g = ids.get(s.id);
    if (!g) ids.set(s.id, (g = { caller: -1, server: -1, first: -1, services: null }));
    const shared = !!(s.flags & SHARED);
    if (isCaller(s.kind) && !shared && g.caller < 0) g.caller = i;
    else if ((shared || isCallee(s.kind)) && g.server < 0) g.server = i;
    if (!shared && g.first < 0) g.first = i;
  });
  spans.forEach((s, i) => {
    const g = ids.get(s.id)!;
    if ((i === g.caller || i === g.server || i === g.first) && !(g.caller >= 0 && g.server >= 0)) return;
    const services = (g.services ??= new Map<string, number>());
    const service = s.local.service ?? "";
    const old = services.get(service);
    if (old === undefined || (isCaller(spans[old]!.kind) && !isCaller(s.kind))) services.set(service, i);
  });
  const parents = new Int32Array(spans.length).fill(-1);
  spans.forEach((s, i) => {
    const own = ids.get(s.id)!;
    const owner = own.caller >= 0 ? own.caller : own.first;
    if (owner >= 0 && owner !== i && (s.flags & SHARED || (own.caller >= 0 && isCallee(s.kind)))) parents[i] = owner;
    else if (s.parent && s.parent !== s.id) {
      const g = ids.get(s.parent);
      if (g) parents[i] = g.services?.get(s.local.service ?? "") ?? (g.server >= 0 ? g.server : g.caller >= 0 ? g.caller : g.first);
    }
  });
  cutCycles(parents);
  return parents;
}

function cutCycles(parents: Int32Array) {
  const state = new Uint8Array(parents.length); // 1 on the path, 2 done
  for (let i = 0; i < parents.length; i++) {
    const path: number[] = [];
    let at = i;
    for (; at >= 0 && !state[at]; at = parents[at]!) (state[at] = 1), path.push(at);
    if (at >= 0 && state[at] === 1) parents[at] = -1;
    for (const p of path) state[p] = 2;
  }
}

/** An id of its own for each: that which was sent for the caller's half, one made of what it is for the others. */
function viewIDs(spans: Span[]): string[] {
  const rank = (s: Span) => (s.flags & SHARED ? 2 : isCaller(s.kind) ? 0 : 1);
  const owners = new Map<string, number>();
  spans.forEach((s, i) => {
    const owner = owners.get(s.id);
    if (owner === undefined || rank(s) < rank(spans[owner]!)) owners.set(s.id, i);
  });
  const views = spans.map((s) => s.id);
  if (owners.size === spans.length) return views;
  const taken = new Set(["0".repeat(16)]);
  for (const s of spans) taken.add(s.id).add(s.parent);
  spans.forEach((s, i) => {
    if (owners.get(s.id) === i) return;
    for (let n = 0; taken.has(views[i]!); n++) views[i] = derivedID(s, n);
    taken.add(views[i]!);
  });
  return views;
}

const words = new TextEncoder();

/** The server's derivedID: FNV-1a over what the span says of itself, then SplitMix64's finalizer. */
function derivedID(s: Span, n: number): string {
  let hi = 0xcbf29ce4, lo = 0x84222325;
  const byte = (b: number) => {
    lo = (lo ^ b) >>> 0;
    const low = lo * 0x1b3;
    hi = (hi * 0x1b3 + Math.floor(low / 2 ** 32) + ((lo << 8) >>> 0)) % 2 ** 32;
    lo = low % 2 ** 32;
  };
  const hex = (digits: string) => {
    for (let i = 0; i < 16; i += 2) byte(parseInt(digits.slice(i, i + 2), 16));
  };
  const trace = s.trace.padStart(32, "0");
  hex(trace.slice(0, 16));
  hex(trace.slice(16));
  hex(s.id);
  hex(s.kind.toString(16).padStart(16, "0"));
  if (!(s.flags & NO_START)) hex((BigInt(s.start.us) * 1000n + BigInt(s.start.ns)).toString(16).padStart(16, "0"));
  hex(n.toString(16).padStart(16, "0"));
  for (const b of words.encode(s.local.service ?? "")) byte(b);
  const mask = (x: bigint) => BigInt.asUintN(64, x);
  let x = (BigInt(hi) << 32n) | BigInt(lo);
  x = mask((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n);
  x = mask((x ^ (x >> 27n)) * 0x94d049bb133111ebn);
  return (x ^ (x >> 31n)).toString(16).padStart(16, "0");
}
