// Flame graph: time to the right, depth down. Only what is at least a third of
// a pixel wide is drawn, so that a hundred thousand spans cost what fits the screen.
import { useMemo, useRef, useState } from "react";
import { duration } from "../format";
import { Canvas, useSize } from "../kit";
import { token } from "../theme-colors";
import { Minimap, Ruler } from "./minimap";
import type { TraceModel } from "./model";
import { rowText } from "./names";
import { standsFor } from "./rows";
import { ERROR } from "./skeleton";

const cell = 20;
const highest = 1500; // levels; canvases have limits

export default function Flame({ model, version }: { model: TraceModel; version: number }) {
  const { t } = model;
  const box = useRef<HTMLDivElement>(null);
  const { width } = useSize(box);
  const [hover, setHover] = useState<{ r: number; x: number; y: number } | null>(null);
  // lanes: a span lies below its parent, further down if a sibling is still running
  const { lane, lanes } = useMemo(() => lay(model), [t, model.hops, model.adjusted]);
  const height = Math.min(lanes, highest) * cell;
  const shown = useRef<{ r: number; a: number; b: number }[][]>([]);
  const draw = (g: CanvasRenderingContext2D, w: number) => {
    const { from: z0, to: z1 } = model.zoom;
    const X = (us: number) => ((us - z0) / (z1 - z0)) * w;
    g.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    g.textBaseline = "middle";
    shown.current = [];
    const last = new Float64Array(lanes).fill(-1); // the pixel each lane is drawn up to
    const errorColor = token("--error"), ink = token("--bar-ink"), ring = token("--ink");
    for (let r = 0; r < t.n; r++) {
      const y = lane[r]!;
      if (y < 0 || y >= highest) continue;
      const a = Math.max(0, X(model.from(r))), b = Math.min(w, X(model.from(r) + t.took[r]!));
      const wrong = t.flags[r]! & ERROR;
      if (b < 0 || a > w || (b - last[y]! < 0.34 && !wrong)) continue;
      last[y] = b;
      (shown.current[y] ??= []).push({ r, a, b });
      const faint = model.filter.q && model.foundBits && !model.matches(r);
      g.globalAlpha = faint ? 0.25 : 0.95;
      g.fillStyle = model.colors[t.service[r]!]!;
      g.fillRect(a, y * cell + 1, Math.max(1, b - a - 0.5), cell - 2);
      g.globalAlpha = 1;
      if (wrong) {
        g.fillStyle = errorColor;
        g.fillRect(a, y * cell + cell - 5, Math.max(2, b - a - 0.5), 4);
      }
      if (r === model.selectedShown) {
        g.strokeStyle = ring;
        g.lineWidth = 2;
        g.strokeRect(a + 1, y * cell + 2, Math.max(2, b - a - 2), cell - 4);
      }
      if (b - a > 40 && !faint) {
        const x = rowText(t, r);
        g.fillStyle = ink;
        g.save();
        g.beginPath();
        g.rect(a + 3, y * cell, b - a - 6, cell);
        g.clip();
        g.fillText(`${wrong ? "▲ " : ""}${x.who}${x.to ? " → " + x.to : ""}  ${x.what.slice(0, 80)}`, a + 4, y * cell + cell / 2);
        g.restore();
      }
    }
  };
  const at = (e: React.PointerEvent | React.MouseEvent) => {
    const rect = e.currentTarget.getBoundingClientRect();
    const x = e.clientX - rect.left, y = e.clientY - rect.top;
    const hit = shown.current[Math.floor(y / cell)]?.findLast((s) => x >= s.a - 1 && x <= Math.max(s.b, s.a + 2));
    return hit ? { r: hit.r, x, y } : null;
  };
  return (
    <div className="flame">
      <Minimap model={model} version={version} />
      <div className="ruler-box">
        <Ruler model={model} left={0} />
      </div>
      <div className="flame-box" ref={box} tabIndex={0} aria-label="Flame graph; the table of spans has the same" role="group">
        <div style={{ height }}>
          <Canvas className="plot" label="Flame graph" deps={[version, width, lane]} draw={draw} onClick={(e) => { const hit = at(e); if (hit) model.select(hit.r); }} onDoubleClick={(e) => { const hit = at(e); if (hit) model.setZoom(model.from(hit.r), model.from(hit.r) + t.took[hit.r]!); }} onPointerMove={(e) => setHover(at(e))} onPointerLeave={() => setHover(null)} />
        </div>
        {hover && (
          <div className="tip" style={{ left: Math.max(0, Math.min(hover.x + 10, width - 260)), top: hover.y + 16 }}>
            <strong>{rowText(t, hover.r).who} {rowText(t, hover.r).to && "→ " + rowText(t, hover.r).to}</strong>
            {rowText(t, hover.r).what.slice(0, 100)} · {duration(t.took[hover.r]!)} · click for details, double click to zoom
          </div>
        )}
      </div>
      {lanes > highest && <p className="dim">Only the upper {highest} levels are drawn.</p>}
    </div>
  );
}

function lay(m: TraceModel): { lane: Int32Array; lanes: number } {
  const { t } = m;
  const lane = new Int32Array(t.n).fill(-1);
  const free: number[] = []; // when each lane is free again
  let lanes = 0;
  for (let r = 0; r < t.n; r++) {
    if (m.hidden?.[r]) {
      lane[r] = lane[t.parent[r]!]!; // a half lies within its client
      continue;
    }
    const p = t.parent[r]! < 0 ? -1 : standsFor(t, m.hidden, t.parent[r]!);
    let y = p < 0 ? 0 : lane[p]! + 1;
    const from = m.from(r);
    for (let tries = 0; (free[y] ?? -Infinity) > from + 1e-3 && tries < 200; tries++) y++;
    lane[r] = y;
    free[y] = Math.max(free[y] ?? -Infinity, from + t.took[r]!);
    lanes = Math.max(lanes, y + 1);
  }
  return { lane, lanes };
}
