// The skeleton of a trace from a file, as the server makes it of a stored one
// (query/skeleton.go, query/mesh.go).
import { parseNode, parseUpstream } from "../mesh";
import { type Column, DEBUG, ERROR, EVENTS, LINKS, NO_START, ORPHAN, SHARED, type Skeleton, WARNED } from "../trace/skeleton";
import { assemble, type Placed } from "./assemble";
import { shifts } from "./skew";
import { CLIENT, compareTime, CONSUMER, isError, kinds, PRODUCER, SERVER, serviceOf, type Span, valueText } from "./span";

/** A trace in rows: depth first, siblings by start. */
export interface Rows { id: string; list: Placed[]; parent: Int32Array }

export function rowsOf(id: string, spans: Span[]): Rows {
  const placed = assemble(spans);
  const n = placed.length;
  const first = new Int32Array(n + 1).fill(-1), next = new Int32Array(n);
  for (let i = n - 1; i >= 0; i--) {
    const p = placed[i]!.parent < 0 ? n : placed[i]!.parent;
    next[i] = first[p]!;
    first[p] = i;
  }
  const list: Placed[] = [], parent = new Int32Array(n), row = new Int32Array(n);
  for (let at = first[n]!; at >= 0; ) {
    const p = placed[at]!.parent;
    row[at] = list.length;
    parent[list.length] = p < 0 ? -1 : row[p]!;
    list.push(placed[at]!);
    if (first[at]! >= 0) {
      at = first[at]!;
      continue;
    }
    while (at >= 0 && next[at]! < 0) at = placed[at]!.parent;
    if (at >= 0) at = next[at]!;
  }
  return { id, list, parent };
}

class Dict {
  readonly words: string[];
  private index = new Map<string, number>();
  constructor(...words: string[]) {
    this.words = words;
    words.forEach((w, i) => this.index.set(w, i));
  }
  number(word: string): number {
    let n = this.index.get(word);
    if (n === undefined) this.index.set(word, (n = this.words.push(word) - 1));
    return n;
  }
}

/** `tags`: keys of tags that become columns too. */
export function skeletonOf({ id, list, parent }: Rows, tags: string[] = []): Skeleton {
  const n = list.length;
  const level = new Uint32Array(n), size = new Uint32Array(n).fill(1), from = new Float64Array(n), took = new Float64Array(n);
  const kind = new Uint8Array(n), flags = new Uint8Array(n), proxy = new Uint8Array(n), pair = new Int32Array(n).fill(-1);
  const ids = new BigUint64Array(n), views = new BigUint64Array(n);
  const service = new Dict(), operation = new Dict();
  const names = [...factNames, ...tags.map((k) => `tag:${k}`)];
  const columns: Record<string, Column> = {}, dicts: Record<string, Dict> = {};
  for (const c of names) (columns[c] = new Uint32Array(n)), (dicts[c] = new Dict(""));
  const services = new Uint32Array(n), operations = new Uint32Array(n);
  const warnings: { row: number; text: string }[] = [];
  const start = list.reduce((m, p) => (compareTime(p.span.start, m) < 0 ? p.span.start : m), list[0]!.span.start);
  let duration = 0, errors = 0, depth = 0, roots = 0, orphans = 0;
  for (let r = n - 1; r >= 0; r--) if (parent[r]! >= 0) size[parent[r]!]! += size[r]!;
  for (let r = 0; r < n; r++) {
    const { span: s, view, orphan } = list[r]!;
    const p = parent[r]!;
    if (p >= 0) depth = Math.max(depth, (level[r] = level[p]! + 1));
    const after = (s.start.us - start.us) * 1000 + s.start.ns - start.ns;
    from[r] = after / 1000;
    took[r] = s.took / 1000;
    duration = Math.max(duration, after + s.took);
    kind[r] = s.kind;
    ids[r] = BigInt("0x" + s.id);
    views[r] = BigInt("0x" + view);
    services[r] = service.number(serviceOf(s));
    operations[r] = operation.number(s.name);
    if (s.tags.length) {
      const facts = factsOf(s);
      for (const c of factNames) (columns[c] as Uint32Array)[r] = dicts[c]!.number(facts[c]);
      for (const k of tags) (columns[`tag:${k}`] as Uint32Array)[r] = dicts[`tag:${k}`]!.number(tagText(s, k));
      proxy[r] = facts.proxy ? 1 : 0;
    }
    let f = s.flags & (SHARED | DEBUG | NO_START);
    if (isError(s)) (f |= ERROR), errors++;
    if (orphan) (f |= ORPHAN), orphans++;
    else if (p < 0) roots++;
    if (s.events.some((e) => e.name !== "cr" && e.name !== "ss")) f |= EVENTS;
    if (s.links.length) f |= LINKS;
    if (s.warnings.length) f |= WARNED;
    flags[r] = f;
    for (const text of s.warnings) if (warnings.length < 1000) warnings.push({ row: r, text });
    if (p >= 0 && ((s.kind === SERVER && kind[p] === CLIENT) || (s.kind === CONSUMER && kind[p] === PRODUCER))) (pair[r] = p), (pair[p] = r);
  }
  const texts: Record<string, string[]> = { service: service.words, operation: operation.words };
  for (const c of names)
    if (dicts[c]!.words.length > 1) texts[c] = dicts[c]!.words;
    else delete columns[c];
  return {
    id, start: start.us, duration: duration / 1000, n, errors, depth, roots, orphans, parent: parent.slice(), level, size, from, took, service: services, operation: operations, kind, flags,
    pair: pair.some((p) => p >= 0) ? pair : null, shift: shifts(list, parent), proxy: proxy.some((p) => p > 0) ? proxy : null, columns, ids, views,
    services: service.words, operations: operation.words, kinds, dicts: texts,
    upstreams: (texts.upstream ?? []).map(parseUpstream), nodes: (texts.node ?? []).map(parseNode), warnings,
  };
}

function tagText(s: Span, key: string): string {
  const t = s.tags.find((x) => x.key === key);
  return t ? valueText(t) : "";
}

const factNames = ["status", "grpc", "response", "method", "path", "host", "upstream", "peer", "node", "app", "revision", "namespace", "retries", "request"] as const;
type Facts = Record<(typeof factNames)[number], string> & { proxy: boolean };

/** What Envoy and Istio say in tags; where two say the same thing, Envoy's first name for it is believed. */
function factsOf(s: Span): Facts {
  const said = new Map<string, string>();
  for (const t of s.tags) said.set(t.key, valueText(t));
  const get = (...keys: string[]) => keys.map((k) => said.get(k)).find(Boolean) ?? "";
  const cluster = (k: string) => get(k).replace(/;$/, "");
  const { host, path } = splitURL(get("http.url", "url.full"));
  return {
    status: get("http.status_code", "http.response.status_code"), grpc: get("grpc.status_code", "rpc.grpc.status_code"), response: get("response_flags"),
    method: get("http.method", "http.request.method"), path: path || (s.tags.map((t) => (t.key === "url.path" || t.key === "http.target" ? valueText(t) : "")).find(Boolean) ?? "").split("?")[0]!, host,
    upstream: cluster("upstream_cluster") || cluster("upstream_cluster.name"), peer: get("upstream_address", "peer.address"), node: get("node_id"),
    app: get("istio.canonical_service"), revision: get("istio.canonical_revision"), namespace: get("istio.namespace"), retries: get("retry.count"), request: get("guid:x-request-id"), proxy: get("component") === "proxy",
  };
}

function splitURL(url: string): { host: string; path: string } {
  const bare = url.split("#")[0]!.split("?")[0]!;
  const scheme = bare.indexOf("://");
  if (scheme < 0) return { host: "", path: bare };
  const rest = bare.slice(scheme + 3), slash = rest.indexOf("/");
  return slash < 0 ? { host: rest, path: "" } : { host: rest.slice(0, slash), path: rest.slice(slash) };
}
