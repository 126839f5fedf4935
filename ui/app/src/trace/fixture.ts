// Small traces for tests, laid out as the server lays them out.
import type { Skeleton } from "./skeleton";

export interface Row { parent?: number; from?: number; took?: number; service?: string; operation?: string; kind?: string; flags?: number; pair?: number; status?: string; response?: string; revision?: string }

/** Rows must be in depth-first order. */
export function skeleton(rows: Row[]): Skeleton {
  const n = rows.length;
  const dict = (of: (r: Row) => string, empty: boolean) => {
    const words = empty ? [""] : [];
    const column = Uint32Array.from(rows, (r) => {
      const w = of(r);
      if (!words.includes(w)) words.push(w);
      return words.indexOf(w);
    });
    return { column, words };
  };
  const service = dict((r) => r.service ?? "a", false), operation = dict((r) => r.operation ?? "op", false);
  const status = dict((r) => r.status ?? "", true), response = dict((r) => r.response ?? "", true), revision = dict((r) => r.revision ?? "", true);
  const kinds = ["", "internal", "server", "client", "producer", "consumer"];
  const parent = Int32Array.from(rows, (r) => r.parent ?? -1);
  const level = new Int32Array(n), size = new Int32Array(n).fill(1);
  for (let r = 0; r < n; r++) level[r] = parent[r]! < 0 ? 0 : level[parent[r]!]! + 1;
  for (let r = n - 1; r >= 0; r--) if (parent[r]! >= 0) size[parent[r]!]! += size[r]!;
  const ids = BigUint64Array.from(rows, (_, i) => BigInt(i + 1));
  const took = Float64Array.from(rows, (r) => r.took ?? 10), from = Float64Array.from(rows, (r) => r.from ?? 0);
  return {
    id: "0".repeat(31) + "1", start: 1_700_000_000_000_000, duration: Math.max(1, ...rows.map((_, i) => from[i]! + took[i]!)), n, errors: rows.filter((r) => (r.flags ?? 0) & 1).length,
    depth: Math.max(0, ...level) + 1, roots: 1, orphans: 0, parent, level, size, from, took,
    service: service.column, operation: operation.column, kind: Uint8Array.from(rows, (r) => kinds.indexOf(r.kind ?? "")), flags: Uint8Array.from(rows, (r) => r.flags ?? 0),
    pair: rows.some((r) => r.pair !== undefined) ? Int32Array.from(rows, (r) => r.pair ?? -1) : null, shift: null, proxy: null,
    columns: { status: status.column, response: response.column, revision: revision.column }, ids, views: ids,
    services: service.words, operations: operation.words, kinds, dicts: { status: status.words, response: response.words, revision: revision.words }, upstreams: [], nodes: [], warnings: [],
  };
}

/** A call from one sidecar to another and on to a third: two pairs. */
export const twoHops = () =>
  skeleton([
    { service: "gateway", kind: "client", took: 100, pair: 1 },
    { parent: 0, service: "page", kind: "server", from: 5, took: 90, pair: 0 },
    { parent: 1, service: "page", kind: "client", from: 20, took: 50, pair: 3 },
    { parent: 2, service: "reviews", kind: "server", from: 25, took: 40, pair: 2, revision: "v2" },
    { parent: 1, service: "page", kind: "client", from: 75, took: 10, flags: 1, response: "URX,UF" },
  ]);
