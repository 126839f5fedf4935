// A whole trace in typed arrays, as docs/ui-api.md lays it out: nothing is
// copied, a column is a view of the answer.
import type { Node, Upstream } from "../mesh";

export type Column = { readonly length: number; readonly [i: number]: number };

export const ERROR = 1, SHARED = 2, DEBUG = 4, NO_START = 8, ORPHAN = 16, EVENTS = 32, LINKS = 64, WARNED = 128;

export interface Skeleton {
  id: string;
  start: number; // µs since the epoch
  duration: number;
  n: number;
  errors: number;
  depth: number;
  roots: number;
  orphans: number;
  parent: Column; // row, −1 none
  level: Column;
  size: Column; // rows of the subtree
  from: Column; // µs after start
  took: Column;
  service: Column;
  operation: Column;
  kind: Column;
  flags: Column;
  pair: Column | null;
  shift: Column | null;
  proxy: Column | null;
  columns: Record<string, Column>;
  ids: BigUint64Array;
  views: BigUint64Array;
  services: string[];
  operations: string[];
  kinds: string[];
  dicts: Record<string, string[]>;
  upstreams: Upstream[];
  nodes: Node[];
  warnings: { row: number; text: string }[];
}

interface Head {
  id: string; start: number; duration: number; rows: number; errors: number; depth: number; roots: number; orphans: number;
  columns: { name: string; type: keyof typeof types; offset: number; dict?: string }[];
  dicts: Record<string, string[]>; kinds: string[]; upstreams?: Upstream[]; nodes?: Node[]; warnings?: { row: number; text: string }[];
}

const types = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, i32: Int32Array, f64: Float64Array, u64: BigUint64Array };
const magic = "SPSKEL1\n";

export function decode(buf: ArrayBuffer): Skeleton {
  const text = new TextDecoder();
  if (buf.byteLength < 12 || text.decode(new Uint8Array(buf, 0, 8)) !== magic) throw new Error("the server's answer is not a trace this page can read; load the page again");
  const H = new DataView(buf).getUint32(8, true);
  const head = JSON.parse(text.decode(new Uint8Array(buf, 12, H))) as Head;
  const columns: Record<string, Column> = {};
  const wide: Record<string, BigUint64Array> = {};
  for (const c of head.columns) {
    const at = 12 + H + c.offset;
    if (c.type === "u64") wide[c.name] = new BigUint64Array(buf, at, head.rows);
    else columns[c.name] = new types[c.type](buf, at, head.rows) as unknown as Column;
  }
  const need = (name: string) => columns[name] ?? new Uint8Array(head.rows);
  return {
    id: head.id, start: head.start, duration: head.duration, n: head.rows, errors: head.errors, depth: head.depth, roots: head.roots, orphans: head.orphans,
    parent: columns.parent ?? new Int32Array(head.rows).fill(-1),
    level: need("depth"), size: columns.size ?? new Uint8Array(head.rows).fill(1), from: need("start"), took: need("duration"),
    service: need("service"), operation: need("operation"), kind: need("kind"), flags: need("flags"),
    pair: columns.pair ?? null, shift: columns.shift ?? null, proxy: columns.proxy ?? null, columns,
    ids: wide.id ?? new BigUint64Array(head.rows), views: wide.view ?? wide.id ?? new BigUint64Array(head.rows),
    services: head.dicts.service ?? [""], operations: head.dicts.operation ?? [""], kinds: head.kinds, dicts: head.dicts,
    upstreams: head.upstreams ?? [], nodes: head.nodes ?? [], warnings: head.warnings ?? [],
  };
}

/** The text of a dictionary column; "" where there is none. */
export function text(t: Skeleton, column: string, row: number): string {
  const c = t.columns[column];
  return c ? (t.dicts[column]?.[c[row]!] ?? "") : "";
}

export const hex = (id: bigint) => id.toString(16).padStart(16, "0");

export const upstream = (t: Skeleton, row: number): Upstream => (t.columns.upstream ? (t.upstreams[t.columns.upstream[row]!] ?? {}) : {});
export const node = (t: Skeleton, row: number): Node => (t.columns.node ? (t.nodes[t.columns.node[row]!] ?? {}) : {});

/** Rows of the span with this id: as Jaeger's API names it first, else as sent. */
export function rowsOf(t: Skeleton, id: string): number[] {
  if (!/^[0-9a-fA-F]{1,16}$/.test(id)) return [];
  const want = BigInt("0x" + id);
  const find = (ids: BigUint64Array) => {
    const found: number[] = [];
    for (let r = ids.indexOf(want); r >= 0; r = ids.indexOf(want, r + 1)) found.push(r);
    return found;
  };
  const all = new Set([...find(t.views), ...find(t.ids)]);
  return [...all];
}
