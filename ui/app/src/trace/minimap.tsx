// The whole trace in a strip, with the part that is shown, and the ruler above
// the bars. Dragging on either zooms.
import { useRef, useState } from "react";
import { duration } from "../format";
import { Canvas } from "../kit";
import { token } from "../theme-colors";
import type { TraceModel } from "./model";

export function Minimap({ model, version }: { model: TraceModel; version: number }) {
  const all = model.whole().to;
  const { from, to } = model.zoom;
  const box = useRef<HTMLDivElement>(null);
  const drag = useDragZoom(box, (x) => x * all, (a, b) => model.setZoom(a, b), () => model.setZoom(0, all));
  const zoomed = from > 0 || to < all;
  return (
    <div className="minimap" ref={box} {...drag.on}>
      <Canvas className="plot" label={`Overview of the trace; ${duration(from)} to ${duration(to)} is shown`} deps={[model.t, model.adjusted, model.colors, model.layout.out]} draw={(g, w, h) => paint(g, w, h, model)} />
      {zoomed && (
        <>
          <div className="outside" style={{ left: 0, width: `${(from / all) * 100}%` }} />
          <div className="outside" style={{ left: `${(to / all) * 100}%`, right: 0 }} />
          <button type="button" className="small reset" onPointerDown={(e) => e.stopPropagation()} onClick={() => model.setZoom(0, all)}>
            Whole trace
          </button>
        </>
      )}
      {drag.box && <div className="dragging" style={{ left: `${drag.box.a * 100}%`, width: `${(drag.box.b - drag.box.a) * 100}%` }} />}
      <span className="visually-hidden">{version}</span>
    </div>
  );
}

/** More spans than pixels: of those that fall on one line, some are drawn; errors always. What is left out of the rows is left out here. */
function paint(g: CanvasRenderingContext2D, w: number, h: number, m: TraceModel) {
  const { t, layout: { out } } = m;
  const all = m.whole().to;
  const shown = out ? rowsIn(out) : null; // null: every row, and nothing is done for each of them
  const n = shown ? shown.length : t.n;
  const step = Math.max(1, Math.floor(n / (h * 12)));
  const line = Math.max(1, Math.min(4, h / n));
  const X = (r: number) => (m.from(r) / all) * w;
  g.globalAlpha = n > h ? 0.75 : 1;
  for (let k = 0; k < n; k += step) {
    const r = shown ? shown[k]! : k;
    g.fillStyle = m.colors[t.service[r]!]!;
    g.fillRect(X(r), (k / n) * h, Math.max(1, (t.took[r]! / all) * w), line);
  }
  g.globalAlpha = 1;
  g.fillStyle = token("--error");
  const wrong = m.errorsShown; // in the order of the rows, so their places are found in one walk
  for (let i = 0, k = 0, skip = Math.max(1, Math.floor(wrong.length / 4000)); i < wrong.length; i += skip) {
    const r = wrong[i]!;
    if (!shown) k = r;
    else while (shown[k]! < r) k++;
    g.fillRect(X(r), Math.max(0, (k / n) * h - 0.5), Math.max(3, (t.took[r]! / all) * w), Math.max(2, line));
  }
}

/** Rows that are not left out, in order. */
function rowsIn(out: Uint8Array): Uint32Array {
  const rows = new Uint32Array(out.length);
  let k = 0;
  for (let r = 0; r < out.length; r++) if (!out[r]) rows[k++] = r;
  return rows.subarray(0, k);
}

export function Ruler({ model, left }: { model: TraceModel; left: number }) {
  const { from, to } = model.zoom;
  const box = useRef<HTMLDivElement>(null);
  const drag = useDragZoom(box, (x) => from + x * (to - from), (a, b) => model.setZoom(a, b), () => model.setZoom(0, model.whole().to));
  return (
    <div className="ruler" style={{ left }} ref={box} {...drag.on} title="Drag to zoom; double click for the whole trace">
      {[0, 1, 2, 3, 4].map((i) => (
        <span key={i} style={{ left: `${i * 20}%` }}>
          {duration(from + ((to - from) * i) / 5)}
        </span>
      ))}
      <span className="last">{duration(to)}</span>
      {drag.box && <div className="dragging" style={{ left: `${drag.box.a * 100}%`, width: `${(drag.box.b - drag.box.a) * 100}%` }} />}
    </div>
  );
}

function useDragZoom(box: React.RefObject<HTMLDivElement | null>, at: (x: number) => number, zoom: (a: number, b: number) => void, reset: () => void) {
  const [start, setStart] = useState<number | null>(null);
  const [now, setNow] = useState(0);
  const spot = (e: React.PointerEvent) => {
    const r = box.current!.getBoundingClientRect();
    return Math.max(0, Math.min(1, (e.clientX - r.left) / r.width));
  };
  return {
    box: start === null ? null : { a: Math.min(start, now), b: Math.max(start, now) },
    on: {
      onPointerDown: (e: React.PointerEvent) => {
        if (e.button) return;
        e.currentTarget.setPointerCapture(e.pointerId);
        setStart(spot(e));
        setNow(spot(e));
      },
      onPointerMove: (e: React.PointerEvent) => start !== null && setNow(spot(e)),
      onPointerUp: (e: React.PointerEvent) => {
        if (start === null) return;
        const x = spot(e);
        if (Math.abs(x - start) > 0.005) zoom(at(start), at(x));
        setStart(null);
      },
      onDoubleClick: reset,
    },
  };
}
