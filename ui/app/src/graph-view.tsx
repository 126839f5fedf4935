// Draws a graph of services as SVG: pan by dragging, zoom with the wheel or the
// buttons, nodes reachable with the keyboard.
import { useMemo, useRef, useState } from "react";
import { layered } from "./graph-layout";
import { useSize } from "./kit";

export interface GraphNode { id: string; title: string; sub?: string; lines: string[]; bad?: boolean; kind?: string; query?: string; selected?: boolean }
export interface GraphEdge { from: string; to: string; label?: string; weight: number; bad?: boolean; dashed?: boolean; title?: string }

const W = 184, H = 70, gapX = 96, gapY = 26;

export function GraphView({ nodes, edges, label, onNode, onEdge }: { nodes: GraphNode[]; edges: GraphEdge[]; label: string; onNode?: (n: GraphNode) => void; onEdge?: (e: GraphEdge) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const shape = nodes.map((n) => n.id).join("\n") + edges.map((e) => e.from + e.to).join("\n");
  const { at, width, height } = useMemo(() => {
    const l = layered(nodes.map((n) => n.id), edges);
    const rows = Math.max(1, ...l.layers.map((x) => x.length));
    const at = new Map<string, { x: number; y: number }>();
    for (const [id, p] of l.at) at.set(id, { x: p.layer * (W + gapX) + 20, y: (p.x + (rows - 1) / 2) * (H + gapY) + 20 });
    return { at, width: l.layers.length * (W + gapX) - gapX + 40, height: rows * (H + gapY) - gapY + 40 };
  }, [shape]);
  const fit = size.width ? Math.min(1.15, size.width / width, Math.max(0.2, size.height / height)) : 1;
  const first = fit > 0.2 ? Math.max(0.6, fit) : fit; // rather legible than whole, but of very many the shape
  const [view, setView] = useState<{ k: number; x: number; y: number } | null>(null);
  const k = view?.k ?? first;
  const middle = (k: number) => ({ k, x: Math.max(0, (size.width - width * k) / 2), y: Math.max(0, (size.height - height * k) / 2) });
  const { x, y } = view ?? middle(k);
  const most = Math.max(1, ...edges.slice(0, 5000).map((e) => e.weight));
  const drag = useRef<{ x: number; y: number } | null>(null);
  const zoom = (f: number, cx = size.width / 2, cy = size.height / 2) => setView({ k: Math.max(0.05, Math.min(3, k * f)), x: cx - (cx - x) * f, y: cy - (cy - y) * f });
  return (
    <div
      className="graph-view"
      ref={box}
      onPointerDown={(e) => {
        if ((e.target as Element).closest(".node, button, .edge-hit")) return;
        drag.current = { x: e.clientX - x, y: e.clientY - y };
        e.currentTarget.setPointerCapture(e.pointerId);
      }}
      onPointerMove={(e) => drag.current && setView({ k, x: e.clientX - drag.current.x, y: e.clientY - drag.current.y })}
      onPointerUp={() => (drag.current = null)}
      onWheel={(e) => {
        const r = e.currentTarget.getBoundingClientRect();
        zoom(e.deltaY > 0 ? 0.87 : 1.15, e.clientX - r.left, e.clientY - r.top);
      }}
    >
      <svg width={size.width || 1} height={size.height || 1} role="group" aria-label={label}>
        <defs>
          <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" markerWidth="10" markerHeight="10" orient="auto">
            <path d="M0 0 8 4 0 8z" className="arrow" />
          </marker>
          <marker id="arrow-bad" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" markerWidth="10" markerHeight="10" orient="auto">
            <path d="M0 0 8 4 0 8z" className="arrow bad" />
          </marker>
        </defs>
        <g transform={`translate(${x} ${y}) scale(${k})`}>
          {edges.map((e) => {
            const a = at.get(e.from), b = at.get(e.to);
            if (!a || !b) return null;
            const x0 = a.x + W, y0 = a.y + H / 2, x1 = b.x - 2, y1 = b.y + H / 2;
            const forward = b.x > a.x;
            const d = e.from === e.to ? `M${a.x + W - 30} ${a.y} c 0 -40 60 -40 ${30} ${H / 2}` : forward ? `M${x0} ${y0} C ${x0 + gapX / 2} ${y0}, ${x1 - gapX / 2} ${y1}, ${x1} ${y1}` : `M${a.x + W / 2} ${a.y + H} C ${a.x + W / 2} ${a.y + H + 60}, ${b.x + W / 2} ${b.y + H + 60}, ${b.x + W / 2} ${b.y + H}`;
            return (
              <g key={e.from + "\n" + e.to} className={e.bad ? "edge bad" : "edge"}>
                <path d={d} strokeWidth={1.2 + 3.5 * Math.sqrt(e.weight / most)} markerEnd={e.bad ? "url(#arrow-bad)" : "url(#arrow)"} strokeDasharray={e.dashed ? "6 4" : undefined} />
                <path d={d} className="edge-hit" strokeWidth={14} onClick={() => onEdge?.(e)}>
                  {e.title && <title>{e.title}</title>}
                </path>
              </g>
            );
          })}
          {k > 0.45 && edges.map((e) => { // above all edges
            const a = at.get(e.from), b = at.get(e.to);
            return e.label && a && b && b.x > a.x ? (
              <text key={e.from + "\n" + e.to} className={e.bad ? "edge-label bad" : "edge-label"} x={(a.x + W + b.x) / 2} y={(a.y + b.y + H) / 2 + 4} textAnchor="middle">
                {e.bad ? "▲ " : ""}
                {e.label}
              </text>
            ) : null;
          })}
          {nodes.map((n) => {
            const p = at.get(n.id);
            if (!p) return null;
            return (
              <g
                key={n.id}
                className={`node ${n.bad ? "bad" : ""} ${n.kind ?? ""} ${n.selected ? "selected" : ""}`}
                transform={`translate(${p.x} ${p.y})`}
                role="button"
                tabIndex={0}
                onFocus={() => {
                  const left = x + p.x * k, top = y + p.y * k;
                  if (left < 0 || top < 0 || left + W * k > size.width || top + H * k > size.height) setView({ k, x: (size.width - W * k) / 2 - p.x * k, y: (size.height - H * k) / 2 - p.y * k });
                }}
                onClick={() => onNode?.(n)}
                onKeyDown={(e) => (e.key === "Enter" || e.key === " ") && (e.preventDefault(), e.stopPropagation(), onNode?.(n))}
              >
                <rect width={W} height={H} rx="8">
                  <title>{n.id}</title>
                </rect>
                <text x="10" y="20" className="node-title">
                  {n.bad ? "▲ " : ""}
                  {cut(n.title, n.bad ? 19 : 22)}
                </text>
                {n.sub && (
                  <text x="10" y="35" className="node-sub">
                    {cut(n.sub, 26)}
                  </text>
                )}
                {n.lines.slice(0, 2).map((l, i) => (
                  <text key={i} x="10" y={(n.sub ? 49 : 36) + i * (n.sub ? 12 : 14)} className="node-line">
                    {cut(l, 28)}
                  </text>
                ))}
              </g>
            );
          })}
        </g>
      </svg>
      <div className="graph-tools">
        <button type="button" className="small" aria-label="Zoom in" onClick={() => zoom(1.25)}>
          +
        </button>
        <button type="button" className="small" aria-label="Zoom out" onClick={() => zoom(0.8)}>
          −
        </button>
        <button type="button" className="small" onClick={() => setView(middle(fit))}>
          Fit
        </button>
      </div>
    </div>
  );
}

const cut = (s: string, n: number) => (s.length > n ? s.slice(0, n - 1) + "…" : s);
