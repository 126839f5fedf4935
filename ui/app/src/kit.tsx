// The few parts every view is made of.
import { type ReactNode, type Ref, type RefObject, useEffect, useImperativeHandle, useLayoutEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";
import type { ApiError } from "./api";
import { count, percent, timestamp, clock } from "./format";
import { describeUpstream, explainFlags, parseUpstream, splitFlags, splitService } from "./mesh";
import { useZone } from "./prefs";
import { go, href } from "./router";

const icons = {
  error: "M8 1.5 15 14H1L8 1.5Zm0 4.5v4m0 1.6v.6",
  copy: "M5 5h8v9H5zM3 11V2h8",
  close: "M3.5 3.5l9 9m0-9-9 9",
  right: "M6 3.5 10.5 8 6 12.5",
  left: "M10 3.5 5.5 8l4.5 4.5",
  down: "M3.5 6 8 10.5 12.5 6",
  up: "M3.5 10 8 5.5l4.5 4.5",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Zm3.5 8L14 14",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6Zm0-4v2m0 10v2M1 8h2m10 0h2M3 3l1.5 1.5m7 7L13 13m0-10-1.5 1.5m-7 7L3 13",
  moon: "M13.5 10A6 6 0 0 1 6 2.5 6 6 0 1 0 13.5 10Z",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Zm0 2.5V8l2.5 2",
  link: "M6.5 9.5l3-3M5 7 3.5 8.5a2.5 2.5 0 0 0 4 4L9 11M7 5l1.500-1.500a2.5 2.5 0 0 1 4 4L11 9",
  download: "M8 2v8m-3.500-3L8 10.500 11.500 7M2.500 13.500h11",
  ok: "M3 8.500 6.500 12 13 4.500",
  live: "M8 6.500a1.500 1.500 0 1 0 0 3 1.500 1.500 0 0 0 0-3ZM4.500 4.500a5 5 0 0 0 0 7m7-7a5 5 0 0 1 0 7M2.500 2.500a8 8 0 0 0 0 11m11-11a8 8 0 0 1 0 11",
  warn: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Zm0 3v4m0 1.600v.5",
} as const;

export type IconName = keyof typeof icons;

export function Icon({ name, label }: { name: IconName; label?: string }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" role={label ? "img" : undefined} aria-label={label} aria-hidden={label ? undefined : true}>
      <path d={icons[name]} />
    </svg>
  );
}

export function Link({ to, children, className, title }: { to: string; children: ReactNode; className?: string; title?: string }) {
  return (
    <a
      href={href(to)}
      className={className}
      title={title}
      onClick={(e) => {
        if (e.button || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
        e.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}

/** A menu that is open until the focus leaves it; what it holds is made when it is opened. */
export function Menu({ label, title, children }: { label: ReactNode; title?: string; children: () => ReactNode }) {
  const [open, set] = useState(false);
  const box = useRef<HTMLDetailsElement>(null);
  return (
    <details
      ref={box}
      className="menu"
      open={open}
      onToggle={(e) => set(e.currentTarget.open)}
      onBlur={(e) => !e.currentTarget.contains(e.relatedTarget) && set(false)}
      onKeyDown={(e) => {
        if (e.key !== "Escape" || !open) return;
        e.stopPropagation();
        set(false);
        box.current?.querySelector("summary")?.focus();
      }}
    >
      <summary title={title}>{label}</summary>
      {open && <div tabIndex={-1}>{children()}</div>}
    </details>
  );
}

export function Copy({ text, label }: { text: string; label: string }) {
  const [done, set] = useState(false);
  return (
    <button type="button" className="quiet small" title={label} aria-label={done ? "Copied" : label} onClick={() => void copyText(text).then(() => (set(true), setTimeout(() => set(false), 1500)))}>
      <Icon name={done ? "ok" : "copy"} />
    </button>
  );
}

/** The clipboard needs a secure context; a hidden field works everywhere. */
export async function copyText(text: string) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "offscreen";
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

/** An error with what the server said, and a way on. */
export function Trouble({ error, retry }: { error: ApiError; retry?: () => void }) {
  return (
    <div className="trouble" role="alert">
      <Icon name="error" />
      <span>
        {error.status ? "" : "No answer: "}
        {error.message}
      </span>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Flags({ text }: { text: string | undefined }) {
  return splitFlags(text).map((f) => (
    <span key={f} className="chip flag" title={explainFlags(f)}>
      {f}
    </span>
  ));
}

/** An HTTP status; failures also differ by their frame. */
export function Status({ code }: { code?: string }) {
  if (!code) return null;
  const n = Number(code);
  const kind = n >= 500 || n === 0 ? "bad" : n >= 400 ? "warn" : "ok";
  return (
    <span className={`chip status ${kind}`} title={n === 0 ? "No answer went back: the client was gone" : `HTTP status ${code}`}>
      {code}
    </span>
  );
}

/** A service's name with its namespace dimmed, left out if it is default. */
export function Service({ name }: { name: string }) {
  const s = splitService(name);
  return (
    <bdi title={name}>
      {s.name}
      {s.namespace && s.namespace !== "default" && <span className="dim">.{s.namespace}</span>}
    </bdi>
  );
}

export function UpstreamName({ text }: { text: string }) {
  return <bdi title={text}>{describeUpstream(parseUpstream(text)) || text}</bdi>;
}

export function Time({ at, long, fraction = 3 }: { at: number; long?: boolean; fraction?: number }) {
  const zone = useZone();
  return (
    <time dateTime={new Date(at / 1000).toISOString()} title={`${timestamp(at, zone, 6)} ${zone === "utc" ? "UTC" : "local time"}`}>
      {long ? timestamp(at, zone, fraction) : clock(at, zone, fraction)}
    </time>
  );
}

/** A share as a bar with its number; errors are hatched. */
export function ErrorShare({ part, all }: { part: number; all: number }) {
  return (
    <span className={part ? "share bad" : "share"} title={`${count(part)} of ${count(all)}`}>
      {part ? <Icon name="error" /> : null} {percent(part, all)}
    </span>
  );
}

/** How large an element is, in CSS pixels. */
export function useSize(ref: RefObject<HTMLElement | null>): { width: number; height: number } {
  const [size, set] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const el = ref.current;
    if (!el) return;
    const read = () => set((s) => (s.width === el.clientWidth && s.height === el.clientHeight ? s : { width: el.clientWidth, height: el.clientHeight }));
    // It reads in the frame to come, when there is a layout; to read now would cost one.
    const watch = new ResizeObserver(read);
    watch.observe(el);
    return () => watch.disconnect();
  }, [ref]);
  return size;
}

/** A part of a page with a frame. Where its content is wider it scrolls, with the keyboard too. */
export function Card({ wide, children }: { wide?: boolean; children: ReactNode }) {
  const box = useRef<HTMLElement>(null);
  useSize(box);
  useLayoutEffect(() => {
    const e = box.current!;
    if (e.scrollWidth > e.clientWidth) e.tabIndex = 0;
    else e.removeAttribute("tabindex");
  });
  return (
    <section ref={box} className={wide ? "card wide" : "card"}>
      {children}
    </section>
  );
}

/** A canvas that draws itself again when its size, the theme or `deps` change. */
export function Canvas({ draw, deps, className, label, ...on }: {
  draw: (g: CanvasRenderingContext2D, width: number, height: number) => void;
  deps: unknown[];
  className?: string;
  label: string;
} & Pick<React.HTMLAttributes<HTMLCanvasElement>, "onPointerDown" | "onPointerMove" | "onPointerUp" | "onPointerLeave" | "onDoubleClick" | "onClick">) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height } = useSize(box);
  const theme = useThemeTurn();
  useLayoutEffect(() => {
    const c = canvas.current;
    if (!c || !width || !height) return;
    draw(context(c, width, height), width, height);
  }, [width, height, theme, ...deps]);
  return (
    <div ref={box} className={className}>
      <canvas ref={canvas} role="img" aria-label={label} {...on} />
    </div>
  );
}

/** The canvas sized for the screen's pixels, cleared, in CSS pixels. */
export function context(c: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const dpr = Math.min(window.devicePixelRatio || 1, 3);
  const w = Math.min(Math.round(width * dpr), 16_000);
  const h = Math.min(Math.round(height * dpr), 16_000);
  if (c.width !== w || c.height !== h) {
    c.width = w;
    c.height = h;
    c.style.width = `${width}px`;
    c.style.height = `${height}px`;
  }
  const g = c.getContext("2d")!;
  g.setTransform(w / width, 0, 0, h / height, 0, 0);
  g.clearRect(0, 0, width, height);
  return g;
}

/** A number that changes with the theme. */
export function useThemeTurn(): number {
  const [n, set] = useState(0);
  useEffect(() => {
    const turn = () => set((x) => x + 1);
    const system = [matchMedia("(prefers-color-scheme: dark)"), matchMedia("(forced-colors: active)")];
    for (const s of system) s.addEventListener("change", turn);
    const watch = new MutationObserver(turn);
    watch.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => (system.forEach((s) => s.removeEventListener("change", turn)), watch.disconnect());
  }, []);
  return n;
}

export interface Column<T> {
  key: string;
  label: ReactNode;
  width: string; // a track of CSS grid
  cell: (row: T, index: number) => ReactNode;
  by?: (row: T) => number | string; // sortable by this
  right?: boolean;
  title?: string;
  spare?: number; // left out where there is no room: the highest first, of equals the last
}

/** Those of the columns that there is room for in a width in pixels. */
export function fitting<C extends { width: string; spare?: number }>(columns: C[], width: number): C[] {
  const [gap, edges] = width < 560 ? [7, 16] : [12, 28];
  const need = (c: C) => parseFloat(/\d+/.exec(c.width)![0]) + gap;
  let total = columns.reduce((n, c) => n + need(c), edges - gap);
  const out = new Set<C>();
  for (const c of columns.map((c, i) => ({ c, i })).filter(({ c }) => c.spare).sort((a, b) => b.c.spare! - a.c.spare! || b.i - a.i).map(({ c }) => c)) {
    if (total <= width) break;
    out.add(c);
    total -= need(c);
  }
  return columns.filter((c) => !out.has(c));
}

/** Rows sorted by a column: "key" ascending, "-key" descending. Equal ones keep their order. */
export function sorted<T>(rows: T[], columns: Column<T>[], sort: string): T[] {
  const down = sort.startsWith("-");
  const by = columns.find((c) => c.key === (down ? sort.slice(1) : sort))?.by;
  if (!by) return rows;
  const keys = rows.map((r, i) => [by(r), i] as const);
  keys.sort((a, b) => {
    const c = a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
    return (down ? -c : c) || a[1] - b[1];
  });
  return keys.map(([, i]) => rows[i]!);
}

/** Moves the focus through the rows of a table, to the link in each. */
export interface RowFocus { move: (by: 1 | -1) => void; row: () => HTMLElement | null }

/** A table that keeps only the rows in view in the document. Rows have one height. */
export function Table<T>({ columns, rows, height = 32, label, sort, onSort, id, onOpen, className, selected, focus }: {
  columns: Column<T>[];
  rows: T[];
  height?: number;
  label: string;
  sort?: string;
  onSort?: (sort: string) => void;
  id: (row: T) => string;
  onOpen?: (row: T, e: React.MouseEvent | React.KeyboardEvent) => void;
  className?: string;
  selected?: (row: T) => boolean;
  focus?: Ref<RowFocus>;
}) {
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const shown = size.width > 0 ? fitting(columns, size.width) : columns;
  const [top, setTop] = useState(0);
  const view = size.height || 600;
  const first = Math.max(0, Math.floor(top / height) - 4);
  const last = Math.min(rows.length, Math.ceil((top + view) / height) + 4);
  const template = shown.map((c) => c.width).join(" ");
  useEffect(() => {
    if (box.current && box.current.scrollTop > rows.length * height) box.current.scrollTop = 0;
  }, [rows.length, height]);
  const went = useRef("");
  useImperativeHandle(focus, () => {
    const row = () => box.current?.querySelector<HTMLElement>("[role=row]:focus-within[data-id]") ?? null;
    return {
      row,
      move: (by) => {
        const b = box.current;
        if (!b || !rows.length) return;
        const from = row()?.dataset.id ?? went.current;
        const at = rows.findIndex((r) => id(r) === from);
        const next = at < 0 ? Math.min(rows.length - 1, Math.ceil(b.scrollTop / height)) : Math.max(0, Math.min(rows.length - 1, at + by));
        const y = next * height, room = b.clientHeight - b.querySelector<HTMLElement>(".thead")!.offsetHeight;
        if (y < b.scrollTop) b.scrollTop = y;
        else if (y + height > b.scrollTop + room) b.scrollTop = y + height - room;
        flushSync(() => setTop(b.scrollTop)); // so that the row is there
        went.current = id(rows[next]!);
        b.querySelector<HTMLElement>(`[aria-rowindex="${next + 2}"] a`)?.focus({ preventScroll: true });
      },
    };
  }, [rows, height, id]);
  return (
    <div ref={box} className={`table ${className ?? ""}`} role="table" aria-label={label} aria-rowcount={rows.length + 1} tabIndex={0} onScroll={(e) => setTop(e.currentTarget.scrollTop)}>
      <div className="thead" role="rowgroup">
        <div role="row" className="tr" style={{ gridTemplateColumns: template }}>
          {shown.map((c) => {
            const dir = sort === c.key ? "ascending" : sort === "-" + c.key ? "descending" : undefined;
            return (
              <div key={c.key} role="columnheader" className={c.right ? "right" : ""} aria-sort={dir} title={c.title}>
                {c.by && onSort ? (
                  <button type="button" className="sort" onClick={() => onSort(dir === "descending" ? c.key : "-" + c.key)}>
                    {c.label}
                    {dir && <Icon name={dir === "ascending" ? "up" : "down"} />}
                  </button>
                ) : (
                  c.label
                )}
              </div>
            );
          })}
        </div>
      </div>
      <div role="rowgroup" className="tbody" style={{ height: rows.length * height }}>
        {rows.slice(first, last).map((r, k) => {
          const i = first + k;
          return (
            <div
              key={id(r)}
              data-id={id(r)}
              role="row"
              aria-rowindex={i + 2}
              className={`tr ${onOpen ? "open" : ""} ${selected?.(r) ? "selected" : ""}`}
              style={{ gridTemplateColumns: template, transform: `translateY(${i * height}px)`, height }}
              onClick={onOpen && ((e) => !(e.target as Element).closest("a,button,input,label") && onOpen(r, e))}
            >
              {shown.map((c) => (
                <div key={c.key} role="cell" className={c.right ? "right" : ""}>
                  {c.cell(r, i)}
                </div>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

export function Tabs<T extends string>({ tabs, value, onChange, label }: { tabs: [T, string][]; value: T; onChange: (t: T) => void; label: string }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => { // on a narrow page they do not all fit
    const b = box.current!, t = b.querySelector<HTMLElement>('[aria-selected="true"]');
    if (t && b.scrollWidth > b.clientWidth) b.scrollLeft = t.offsetLeft - b.offsetLeft - (b.clientWidth - t.offsetWidth) / 2;
  }, [value]);
  return (
    <div ref={box} className="tabs" role="tablist" aria-label={label}>
      {tabs.map(([k, text], i) => (
        <button
          key={k}
          type="button"
          role="tab"
          aria-selected={k === value}
          tabIndex={k === value ? 0 : -1}
          onClick={() => onChange(k)}
          onKeyDown={(e) => {
            const d = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
            if (!d) return;
            e.preventDefault();
            e.stopPropagation();
            onChange(tabs[(i + d + tabs.length) % tabs.length]![0]);
            (e.currentTarget.parentElement!.children[(i + d + tabs.length) % tabs.length] as HTMLElement).focus();
          }}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

/** A line of numbers as a small picture; null leaves a gap. */
export function Spark({ values, color = "--accent", label, width = 90, height = 22 }: { values: (number | null)[]; color?: string; label: string; width?: number; height?: number }) {
  const max = values.reduce<number>((m, v) => Math.max(m, v ?? 0), 0) || 1;
  const w = width / Math.max(1, values.length);
  return (
    <svg className="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      {values.map((v, i) => (v ? <rect key={i} x={i * w} width={Math.max(1, w - 1)} y={height - Math.max(1.5, (v / max) * height)} height={Math.max(1.5, (v / max) * height)} fill={`var(${color})`} /> : null))}
    </svg>
  );
}
