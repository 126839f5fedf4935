// Two traces as one graph: who called whom in either, and what became of it.
import { useMemo } from "react";
import type { Merged } from "./compare-merge";
import { words } from "./compare-parts";
import { count, duration, percent } from "./format";
import { type GraphEdge, GraphView, type GraphNode } from "./graph-view";
import { shortOperation, splitService } from "./mesh";

const most = 120; // of more operations, services are shown

export default function CompareGraph({ rows }: { rows: Merged[] }) {
  const { nodes, edges } = useMemo(() => build(rows), [rows]);
  return (
    <div className="panel-fill graph-panel">
      <GraphView label="Graph of both traces" nodes={nodes} edges={edges} />
    </div>
  );
}

interface Sum { service: string; operation: string; a: number; b: number; tookA: number; tookB: number; errors: number }

function build(rows: Merged[]): { nodes: GraphNode[]; edges: GraphEdge[] } {
  const byOperation = new Set(rows.map((m) => m.service + "\n" + m.operation)).size <= most;
  const id = (m: Merged) => (byOperation ? `${m.service}\n${shortOperation(m.operation)}` : m.service);
  const sums = new Map<string, Sum>(), calls = new Map<string, { from: string; to: string; a: number; b: number }>();
  const at = new Map<string, string>(); // node of a path
  for (const m of rows) {
    const n = id(m);
    at.set(m.key, n);
    const s = sums.get(n) ?? { service: m.service, operation: byOperation ? shortOperation(m.operation) : "", a: 0, b: 0, tookA: 0, tookB: 0, errors: 0 };
    s.a += m.a.count;
    s.b += m.b.count;
    s.tookA += m.a.total;
    s.tookB += m.b.total;
    s.errors += m.b.errors;
    sums.set(n, s);
    const from = at.get(m.up);
    if (from === undefined || from === n) continue;
    const key = `${from}\r${n}`, e = calls.get(key) ?? { from, to: n, a: 0, b: 0 };
    e.a += m.a.count;
    e.b += m.b.count;
    calls.set(key, e);
  }
  return { nodes: [...sums].map(([key, s]) => node(key, s)), edges: [...calls.values()].map((e) => ({ from: e.from, to: e.to, weight: Math.max(e.a, e.b), dashed: !e.b, label: e.a === e.b ? `${count(e.a)}×` : `${count(e.a)}× → ${count(e.b)}×` })) };
}

function node(id: string, s: Sum): GraphNode {
  const state = !s.a ? "added" : !s.b ? "removed" : s.b > s.a ? "more" : s.b < s.a ? "fewer" : "same";
  const d = s.tookB - s.tookA;
  const spans = s.a === s.b ? `${count(s.a)}×` : `${count(s.a)} → ${count(s.b)}`;
  const took = !s.a || !s.b ? duration(s.tookA || s.tookB) : `${duration(s.tookA)} → ${duration(s.tookB)}${s.tookA ? ` (${d < 0 ? "−" : "+"}${percent(Math.abs(d), s.tookA)})` : ""}`;
  return { id, title: splitService(s.service).name, sub: s.operation, lines: [`${spans} ${words[state]}`, took], kind: state, bad: s.errors > 0 };
}
