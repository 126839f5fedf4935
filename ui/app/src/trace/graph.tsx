// The trace as a graph of who called whom: one node a service (and revision),
// with its calls, errors and self time.
import { useMemo } from "react";
import { count, duration, plural } from "../format";
import { type GraphEdge, GraphView, type GraphNode } from "../graph-view";
import type { TraceModel } from "./model";
import { describeUpstream, splitService } from "../mesh";
import { selfTimes } from "./stats";
import { ERROR, text, upstream } from "./skeleton";

export default function Graph({ model }: { model: TraceModel; version: number }) {
  const { nodes, edges } = useMemo(() => build(model), [model.t]);
  return (
    <div className="panel-fill graph-panel">
      <GraphView label="Graph of the trace's services" nodes={nodes} edges={edges} onNode={(n) => void model.search(n.query ?? "")} />
    </div>
  );
}

function build(m: TraceModel): { nodes: GraphNode[]; edges: GraphEdge[] } {
  const { t } = m;
  const self = selfTimes(t);
  const nodes = new Map<string, GraphNode & { calls: number; errors: number; self: number }>();
  const edges = new Map<string, GraphEdge & { calls: number; errors: number; total: number }>();
  const name = (r: number) => {
    const revision = text(t, "revision", r);
    return `${t.services[t.service[r]!]}${revision ? " " + revision : ""}`;
  };
  const node = (id: string, title: string, sub: string, query: string) => {
    const had = nodes.get(id) ?? { id, title, sub, query, lines: [], calls: 0, errors: 0, self: 0 };
    nodes.set(id, had);
    return had;
  };
  const client = t.kinds.indexOf("client");
  for (let r = 0; r < t.n; r++) {
    const service = t.services[t.service[r]!]!;
    const id = name(r);
    const s = splitService(service);
    const n = node(id, `${s.name}${text(t, "revision", r) ? " " + text(t, "revision", r) : ""}`, s.namespace, `service=${JSON.stringify(service)}`);
    n.self += self[r]!;
    n.calls++;
    const wrong = t.flags[r]! & ERROR ? 1 : 0;
    n.errors += wrong;
    const p = t.parent[r]!;
    let from = "", to = "";
    if (p >= 0 && name(p) !== id) (from = name(p)), (to = id);
    else if (t.kind[r] === client && t.size[r] === 1) {
      const up = describeUpstream(upstream(t, r));
      if (up) {
        from = id;
        to = "⇢ " + up;
        const dead = node(to, up, "no server span", "");
        dead.kind = "dead";
        dead.calls++;
        dead.errors += wrong;
      }
    }
    if (!from) continue;
    const key = `${from}\n${to}`;
    const e = edges.get(key) ?? { from, to, weight: 0, calls: 0, errors: 0, total: 0 };
    e.calls++;
    e.errors += wrong;
    e.total += t.took[r]!;
    edges.set(key, e);
  }
  return {
    nodes: [...nodes.values()].map((n) => ({ ...n, bad: n.errors > 0, lines: [plural(n.calls, "span") + (n.errors ? `, ${plural(n.errors, "error")}` : ""), n.kind === "dead" ? "" : `self ${duration(n.self)}`].filter(Boolean) })),
    edges: [...edges.values()].map((e) => ({ ...e, weight: e.calls, bad: e.errors > 0, label: `${count(e.calls)}× ${duration(e.total / e.calls)}` })),
  };
}
