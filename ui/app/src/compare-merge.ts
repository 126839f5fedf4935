// Two traces laid over each other: spans match by where they are called from,
// by service, kind and operation, and by their order among equals.
import { hiddenHalves, standsFor } from "./trace/rows";
import { ERROR, type Skeleton } from "./trace/skeleton";

export interface Merged {
  key: string; // the path to it
  up: string; // that of its caller
  level: number;
  service: string;
  operation: string;
  a: Side;
  b: Side;
  state: "same" | "added" | "removed" | "more" | "fewer";
}
/** What one of the traces has there; `row` is the first of its rows, −1 none. */
export interface Side { count: number; total: number; errors: number; row: number; rows: number[] }

interface Node { name: string; service: string; operation: string; a: Side; b: Side; children: Map<string, Node>; level: number }

const none = (): Side => ({ count: 0, total: 0, errors: 0, row: -1, rows: [] });

export function merge(a: Skeleton | null, b: Skeleton | null, hops: boolean): Merged[] {
  const top: Node = { name: "", service: "", operation: "", a: none(), b: none(), children: new Map(), level: -1 };
  for (const [t, side] of [[a, "a"], [b, "b"]] as const) {
    if (!t) continue;
    const hidden = hiddenHalves(t, hops);
    const node = new Array<Node>(t.n);
    for (let r = 0; r < t.n; r++) {
      if (hidden?.[r]) {
        node[r] = node[t.parent[r]!]!;
        continue;
      }
      const p = t.parent[r]! < 0 ? -1 : standsFor(t, hidden, t.parent[r]!);
      const up = p < 0 ? top : node[p]!;
      const service = t.services[t.service[r]!]!, operation = t.operations[t.operation[r]!]!;
      const name = `${service}\u0000${t.kind[r]}\u0000${operation}`;
      let n = up.children.get(name);
      if (!n) up.children.set(name, (n = { name, service, operation, a: none(), b: none(), children: new Map(), level: up.level + 1 }));
      node[r] = n;
      const s = n[side];
      s.count++;
      s.rows.push(r);
      s.total += t.took[r]!;
      if (t.flags[r]! & ERROR) s.errors++;
      if (s.row < 0) s.row = r;
    }
  }
  const out: Merged[] = [];
  const stack: [Node, string, string][] = [[top, "", ""]];
  while (stack.length) {
    const [n, path, up] = stack.pop()!;
    if (n !== top) out.push({ key: path, up, level: n.level, service: n.service, operation: n.operation, a: n.a, b: n.b, state: !n.a.count ? "added" : !n.b.count ? "removed" : n.b.count > n.a.count ? "more" : n.b.count < n.a.count ? "fewer" : "same" });
    const children = [...n.children.values()];
    for (let i = children.length - 1; i >= 0; i--) stack.push([children[i]!, `${path}\u0001${children[i]!.name}`, path]);
  }
  return out;
}
