// Duration over time of the traces found: dots, a heat map, or a histogram of
// durations. Dragging chooses a box, or durations of the histogram; a click on a
// dot opens its trace, one on a cell or a bar chooses what it stands for.
import { useMemo, useRef, useState } from "react";
import type { Summary } from "../api";
import { clock, count, duration, plural } from "../format";
import { Canvas } from "../kit";
import { useZone } from "../prefs";
import { token } from "../theme-colors";
import { refine, rootName } from "./facets";
import type { Brush } from "./state";

export type ChartKind = "scatter" | "heat" | "hist";
const left = 52, right = 10, topPad = 10, bottom = 20;

interface Scales { x0: number; x1: number; l0: number; l1: number }

/** The range of a result; durations are on a logarithmic scale. */
export function scales(traces: Summary[]): Scales {
  let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = 0;
  for (const t of traces) {
    x0 = Math.min(x0, t.start);
    x1 = Math.max(x1, t.start);
    y0 = Math.min(y0, Math.max(1, t.duration));
    y1 = Math.max(y1, t.duration, 1);
  }
  const pad = Math.max((x1 - x0) * 0.02, 1000);
  return { x0: x0 - pad, x1: x1 + pad, l0: Math.log10(y0) - 0.08, l1: Math.log10(y1) + 0.08 };
}

export function Chart({ traces, kind, brush, onBrush, onOpen }: { traces: Summary[]; kind: ChartKind; brush: Brush | null; onBrush: (b: Brush | null) => void; onOpen: (t: Summary) => void }) {
  const zone = useZone();
  const s = useMemo(() => scales(traces), [traces]);
  const size = useRef({ w: 1, h: 1 });
  const [drag, setDrag] = useState<{ x0: number; y0: number; x1: number; y1: number } | null>(null);
  const [hover, setHover] = useState<{ title: string; text: string; at?: number; x: number; y: number } | null>(null);
  const X = (t: number) => left + ((t - s.x0) / (s.x1 - s.x0)) * (size.current.w - left - right);
  const Y = (d: number) => size.current.h - bottom - ((Math.log10(Math.max(1, d)) - s.l0) / (s.l1 - s.l0)) * (size.current.h - topPad - bottom);
  const D = (d: number) => left + ((Math.log10(Math.max(1, d)) - s.l0) / (s.l1 - s.l0)) * (size.current.w - left - right); // of the histogram
  const atD = (x: number) => 10 ** (s.l0 + ((x - left) / (size.current.w - left - right)) * (s.l1 - s.l0));
  const atX = (x: number) => s.x0 + ((x - left) / (size.current.w - left - right)) * (s.x1 - s.x0);
  const atY = (y: number) => 10 ** (s.l0 + ((size.current.h - bottom - y) / (size.current.h - topPad - bottom)) * (s.l1 - s.l0));

  const draw = (g: CanvasRenderingContext2D, w: number, h: number) => {
    size.current = { w, h };
    g.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    g.fillStyle = token("--dim");
    g.strokeStyle = token("--line");
    g.lineWidth = 1;
    g.textBaseline = "middle";
    if (kind === "hist") {
      histogram(g, traces, s, w, h);
      if (brush) box(g, Math.max(left, D(brush.y0)), topPad, Math.min(w - right, D(brush.y1)), h - bottom);
      if (drag) box(g, drag.x0, topPad, drag.x1, h - bottom);
      return;
    }
    g.textAlign = "right";
    for (const d of ticks(s.l0, s.l1)) {
      const y = Math.round(Y(d)) + 0.5;
      g.beginPath();
      g.moveTo(left, y);
      g.lineTo(w - right, y);
      g.stroke();
      g.fillText(duration(d), left - 6, y);
    }
    g.textAlign = "center";
    const n = Math.max(2, Math.floor((w - left) / 150));
    for (let i = 0; i <= n; i++) {
      const x = left + (i / n) * (w - left - right);
      const edge = i === 0 ? "left" : i === n ? "right" : "center";
      g.textAlign = edge;
      g.fillText(clock(atX(x), zone, s.x1 - s.x0 < 20e6 ? 1 : 0), x, h - 8);
    }
    if (kind === "heat") heat(g, traces, X, Y, w, h);
    else dots(g, traces, X, Y);
    if (brush) box(g, X(brush.x0), Y(brush.y1), X(brush.x1), Y(brush.y0));
    if (drag) box(g, drag.x0, drag.y0, drag.x1, drag.y1);
  };
  const spot = (e: React.PointerEvent) => {
    const r = e.currentTarget.getBoundingClientRect();
    return { x: e.clientX - r.left, y: e.clientY - r.top };
  };
  const near = (x: number, y: number) => {
    if (kind !== "scatter") return null;
    let best: Summary | null = null, d = 100;
    for (const t of traces) {
      const dd = (X(t.start) - x) ** 2 + (Y(t.duration) - y) ** 2;
      if (dd < d) (d = dd), (best = t);
    }
    return best;
  };
  /** What the cell or the bar at a place stands for; null: there is none, or nothing in it. */
  const under = (x: number, y: number): { b: Brush; n: number } | null => {
    const { w, h } = size.current;
    if (kind === "scatter" || x < left || x > w - right || y < topPad || y > h - bottom) return null;
    let b = { ...whole, y0: 0, y1: 0 };
    if (kind === "hist") {
      const bw = (w - left - right) / bars(w), i = Math.floor((x - left) / bw);
      b = between({ ...whole, y0: atD(left + i * bw), y1: atD(left + (i + 1) * bw) });
    } else {
      const [cw, ch] = cell(w, h), i = Math.floor((x - left) / cw), k = Math.floor((y - topPad) / ch);
      b = between({ x0: atX(left + i * cw), x1: atX(left + (i + 1) * cw), y0: atY(topPad + (k + 1) * ch), y1: atY(topPad + k * ch) });
    }
    const n = refine(traces, [], b).length;
    return n ? { b, n } : null;
  };
  const choose = (a: { x: number; y: number }, b: { x: number; y: number }) => {
    const [x0, x1, y0, y1] = [Math.min(a.x, b.x), Math.max(a.x, b.x), Math.min(a.y, b.y), Math.max(a.y, b.y)];
    if (kind === "hist") return onBrush({ ...whole, y0: atD(x0), y1: atD(x1) });
    const thin = y1 - y0 < 8; // a sideways drag means all durations
    onBrush({ x0: atX(x0), x1: atX(x1), y0: thin ? 0 : atY(y1), y1: thin ? 1e13 : atY(y0) });
  };
  return (
    <div className="chart">
      <Canvas
        className={`plot ${hover ? "pointing" : ""}`}
        label={`Duration over time of ${count(traces.length)} traces; the table below has the same`}
        deps={[traces, kind, brush, drag, zone]}
        draw={draw}
        onPointerDown={(e) => {
          if (e.button) return;
          e.currentTarget.setPointerCapture(e.pointerId);
          const p = spot(e);
          setDrag({ x0: p.x, y0: p.y, x1: p.x, y1: p.y });
        }}
        onPointerMove={(e) => {
          const p = spot(e);
          if (drag) return setDrag({ ...drag, x1: p.x, y1: p.y });
          const t = near(p.x, p.y), u = under(p.x, p.y);
          if (t) setHover({ title: rootName(t).slice(0, 60), text: `${duration(t.duration)} · ${count(t.spans)} spans${t.errors ? ` · ${count(t.errors)} errors` : ""} · `, at: t.start, x: X(t.start), y: Y(t.duration) });
          else setHover(u && { title: plural(u.n, "trace"), text: `of ${duration(u.b.y0)} to ${duration(u.b.y1)}`, ...p });
        }}
        onPointerLeave={() => setHover(null)}
        onPointerUp={(e) => {
          const p = spot(e);
          if (drag && Math.abs(p.x - drag.x0) + Math.abs(p.y - drag.y0) > 6) choose({ x: drag.x0, y: drag.y0 }, p);
          else if (drag) {
            const t = near(p.x, p.y), u = under(p.x, p.y);
            if (t) onOpen(t);
            else if (u) onBrush(u.b);
            else if (brush) onBrush(null);
          }
          setDrag(null);
        }}
      />
      {hover && !drag && (
        <div className="tip" style={{ left: Math.min(hover.x + 12, size.current.w - 230), top: Math.max(0, hover.y - 20) }}>
          <strong>{hover.title}</strong>
          {hover.text}
          {hover.at !== undefined && clock(hover.at, zone, 3)}
        </div>
      )}
    </div>
  );
}

const whole = { x0: 0, x1: 1e16 }; // any time
/** Whole µs from the first on and before the second, so that two neighbours share none. */
const between = (b: Brush): Brush => ({ x0: Math.ceil(b.x0), x1: Math.ceil(b.x1) - 1, y0: Math.ceil(b.y0), y1: Math.ceil(b.y1) - 1 });
/** Width and height of a cell of the heat map. */
const cell = (w: number, h: number): [number, number] => [Math.max(8, (w - left - right) / 60), Math.max(8, (h - topPad - bottom) / 12)];
/** Bars of the histogram. */
const bars = (w: number) => Math.min(60, Math.max(10, Math.floor((w - left) / 22)));

/** 1, 10, 100 … between the ends, with 2 and 5 where there is room. */
function ticks(l0: number, l1: number): number[] {
  const out: number[] = [];
  const fine = l1 - l0 < 0.8 ? [1, 1.5, 2, 3, 4, 5, 7] : l1 - l0 < 2.2 ? [1, 3] : [1];
  for (let e = Math.floor(l0); e <= Math.ceil(l1); e++) for (const m of fine) if (Math.log10(m) + e >= l0 && Math.log10(m) + e <= l1) out.push(m * 10 ** e);
  return out;
}

function dots(g: CanvasRenderingContext2D, traces: Summary[], X: (n: number) => number, Y: (n: number) => number) {
  const ok = token("--accent"), bad = token("--error");
  g.globalAlpha = 0.65;
  for (const wrong of [false, true])
    for (const t of traces) {
      if (t.errors > 0 !== wrong) continue;
      const r = Math.min(9, 2.5 + Math.sqrt(t.spans) / 2.5);
      const x = X(t.start), y = Y(t.duration);
      g.beginPath();
      if (wrong) {
        g.fillStyle = bad; // a diamond, so that colour is not the only sign
        g.moveTo(x, y - r - 1);
        g.lineTo(x + r + 1, y);
        g.lineTo(x, y + r + 1);
        g.lineTo(x - r - 1, y);
      } else {
        g.fillStyle = ok;
        g.arc(x, y, r, 0, 7);
      }
      g.fill();
    }
  g.globalAlpha = 1;
}

function heat(g: CanvasRenderingContext2D, traces: Summary[], X: (n: number) => number, Y: (n: number) => number, w: number, h: number) {
  const [cw, ch] = cell(w, h);
  const cells = new Map<string, { n: number; bad: number; x: number; y: number }>();
  for (const t of traces) {
    const x = Math.floor((X(t.start) - left) / cw), y = Math.floor((Y(t.duration) - topPad) / ch);
    const c = cells.get(`${x},${y}`) ?? { n: 0, bad: 0, x, y };
    c.n++;
    if (t.errors) c.bad++;
    cells.set(`${x},${y}`, c);
  }
  let max = 1;
  for (const c of cells.values()) max = Math.max(max, c.n);
  for (const c of cells.values()) {
    g.fillStyle = token("--accent");
    g.globalAlpha = 0.2 + 0.8 * (c.n / max);
    g.fillRect(left + c.x * cw, topPad + c.y * ch, cw - 1, ch - 1);
    g.globalAlpha = 1;
    if (c.bad) {
      g.fillStyle = token("--error");
      g.fillRect(left + c.x * cw, topPad + (c.y + 1) * ch - 4, (cw - 1) * (c.bad / c.n), 3);
    }
  }
}

function histogram(g: CanvasRenderingContext2D, traces: Summary[], s: Scales, w: number, h: number) {
  const n = bars(w);
  const ok = new Array<number>(n).fill(0), bad = new Array<number>(n).fill(0);
  for (const t of traces) {
    const i = Math.min(n - 1, Math.max(0, Math.floor(((Math.log10(Math.max(1, t.duration)) - s.l0) / (s.l1 - s.l0)) * n)));
    (t.errors ? bad : ok)[i]!++;
  }
  const max = ok.reduce((m, v, i) => Math.max(m, v + bad[i]!), 1);
  const bw = (w - left - right) / n, room = h - topPad - bottom;
  for (let i = 0; i < n; i++) {
    const a = (ok[i]! / max) * room, b = (bad[i]! / max) * room;
    g.fillStyle = token("--accent");
    g.fillRect(left + i * bw, h - bottom - a, bw - 1, a);
    g.fillStyle = token("--error");
    g.fillRect(left + i * bw, h - bottom - a - b, bw - 1, b);
  }
  g.fillStyle = token("--dim");
  g.textAlign = "center";
  for (const d of ticks(s.l0, s.l1)) g.fillText(duration(d), left + ((Math.log10(d) - s.l0) / (s.l1 - s.l0)) * (w - left - right), h - 8);
  g.textAlign = "right";
  g.fillText(count(max), left - 6, topPad + 5);
  g.fillText("0", left - 6, h - bottom);
}

function box(g: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number) {
  g.fillStyle = token("--accent");
  g.globalAlpha = 0.12;
  g.fillRect(x0, y0, x1 - x0, y1 - y0);
  g.globalAlpha = 1;
  g.strokeStyle = token("--accent");
  g.strokeRect(Math.round(x0) + 0.5, Math.round(y0) + 0.5, x1 - x0, y1 - y0);
}
