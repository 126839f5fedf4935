// What the tags of two spans say differently.
import type { SpanDetail } from "./api";

export interface Difference {
  tag: string;
  a?: string;
  b?: string;
  everyTime: boolean; // a value that hardly two requests share
  rank: number; // what tells most comes first
}

// What an operator asks first: which version, how it went, where it was sent.
const first = ["istio.canonical_revision", "response_flags", "http.status_code", "http.response.status_code", "grpc.status_code", "error", "retry.count", "upstream_cluster", "upstream_cluster.name", "upstream_address", "peer.address", "node_id"];
const each = /^guid:|request[._-]?id|trace[._-]?id|span[._-]?id|(request|response)_size$/i;

/** Tags that one has and the other has not, or with another value. Of a key that comes twice all values count. */
export function differences(a: SpanDetail, b: SpanDetail): Difference[] {
  const [x, y] = [byKey(a), byKey(b)];
  return [...new Set([...x.keys(), ...y.keys()])].filter((k) => x.get(k) !== y.get(k)).map((tag) => {
    const i = first.indexOf(tag);
    return { tag, a: x.get(tag), b: y.get(tag), everyTime: each.test(tag), rank: i < 0 ? first.length : i };
  });
}

function byKey(s: SpanDetail): Map<string, string> {
  const all = new Map<string, string>();
  for (const t of s.tags ?? []) {
    const value = typeof t.value === "string" ? t.value : JSON.stringify(t.value);
    all.set(t.key, all.has(t.key) ? `${all.get(t.key)}, ${value}` : value);
  }
  if (s.error && !all.has("error")) all.set("error", "true");
  return all;
}
