// One trace. The skeleton is loaded once; every view reads the same model, and
// what one sees is in the address.
import { useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore } from "react";
import { ApiError } from "../api";
import { typingIn } from "../app";
import { fitColumns, readColumns, writeColumns } from "../columns";
import { config, elsewhere } from "../config";
import { count, duration, plural } from "../format";
import { Copy, copyText, Icon, Link, Tabs, Time, Trouble, useSize } from "../kit";
import { later } from "../later";
import { pref, setPref } from "../prefs";
import { base, go, place, setParams, usePlace } from "../router";
import { Detail } from "./detail";
import { FilterBar } from "./filter";
import { Grid, rowHeight } from "./grid";
import { traceLinks } from "./links";
import { stored, takeLoaded } from "./load";
import { Minimap, Ruler } from "./minimap";
import { TraceModel } from "./model";
import { mostlyPairs, readCollapsed, readRows, writeCollapsed, writeRows } from "./rows";
import { rowText } from "./names";
import { hex, rowsOf } from "./skeleton";
import type { LoadedTrace, Source } from "./source";

const Flame = later(() => import("./flame"));
const Graph = later(() => import("./graph"));
const Statistics = later(() => import("./statistics"));
const SpanTable = later(() => import("./span-table"));
const Logs = later(() => import("./logs"));

type ViewName = "timeline" | "flame" | "graph" | "stats" | "spans" | "logs";
const viewNames: [ViewName, string][] = [["timeline", "Timeline"], ["flame", "Flame graph"], ["graph", "Graph"], ["stats", "Statistics"], ["spans", "Spans"], ["logs", "Logs"]];
/** Jaeger's names of its views, which it keeps out of the address but others may write. */
const alias: Record<string, ViewName> = { TraceTimelineViewer: "timeline", TraceFlamegraph: "flame", TraceGraph: "graph", TraceStatistics: "stats", TraceSpansView: "spans", TraceLogs: "logs", statistics: "stats" };

function open(loaded: LoadedTrace, source: Source): TraceModel {
  const m = new TraceModel(loaded, source);
  readState(m, place().query);
  return m;
}

export default function Trace({ id, source = stored }: { id: string; source?: Source }) {
  const [model, setModel] = useState<TraceModel | null>(() => {
    // readState takes a stale svcFilter out of the address, which must not change while this is drawn
    const loaded = source === stored && !place().query.has("svcFilter") && takeLoaded(id, readColumns(place().query));
    return loaded && loaded.trace.id === id ? open(loaded, source) : null;
  });
  const first = useRef(model);
  const [error, setError] = useState<ApiError | null>(null);
  const [turn, again] = useState(0);
  useEffect(() => {
    if (first.current) return void (first.current = null);
    let gone = false;
    setError(null);
    source.load(id, readColumns(place().query)).then(
      (loaded) => {
        if (gone) return;
        if (loaded.trace.id !== id) go(`${source.path}/${loaded.trace.id}${location.search}`, true); // which opens it
        else setModel(open(loaded, source));
      },
      (e: Error) => !gone && setError(e instanceof ApiError ? e : new ApiError(0, e.message)),
    );
    return () => void (gone = true);
  }, [id, turn]);
  if (error?.status === 404 && source !== stored)
    return (
      <div className="nothing">
        <h1>This trace is not open</h1>
        <p>Traces of files last as long as the page, and only here.</p>
        <Link className="button primary" to="upload">
          Open its file again
        </Link>
      </div>
    );
  if (error?.status === 404)
    return (
      <div className="nothing">
        <h1>This trace is not stored</h1>
        <p>
          <code>{id.slice(0, 64)}</code>: its spans may still be on their way, or it is older than what is kept.
        </p>
        <button type="button" className="primary" onClick={() => again((n) => n + 1)}>
          Look again
        </button>
      </div>
    );
  if (error) return <Trouble error={error} retry={() => again((n) => n + 1)} />;
  if (!model) return <p className="loading">Loading the trace…</p>;
  return <Opened key={model.t.id} model={model} />;
}

/** Takes the state of the view from the address. */
function readState(m: TraceModel, q: URLSearchParams) {
  const fold = q.get("fold");
  if (fold !== null) {
    m.hops = fold.split(",").includes("hops") && !!m.t.pair;
    m.similar = fold.split(",").includes("similar");
  }
  const root = q.get("root");
  if (root) {
    const row = rowsOf(m.t, root)[0];
    if (row !== undefined) m.reroot(row);
  }
  if (q.has("cp")) m.critical = q.get("cp") === "1";
  if (q.get("skew") === "adjusted") m.adjusted = true;
  const only = (q.get("only") ?? "").split(",");
  m.filter = { q: "", mode: q.get("mode") === "filter" ? "filter" : "highlight", errors: only.includes("errors"), path: only.includes("path"), service: q.get("svc") ?? "", min: Number(q.get("min")) || 0 };
  m.columns = readColumns(q);
  const svcFilter = q.get("svcFilter");
  if (svcFilter !== null && !m.readSvcFilter(svcFilter)) setParams({ svcFilter: null }); // made for other services
  readCollapsed(m.t, m.collapsed, q.get("x") ?? "");
  m.openGroups = readRows(q.get("open"), m.t.n);
  m.openPlaces = readRows(q.get("left"), m.t.n);
  const zoom = /^([\d.]+)-([\d.]+)$/.exec(q.get("zoom") ?? "");
  if (zoom) m.setZoom(Number(zoom[1]), Number(zoom[2]));
  m.relayout();
  const wanted = q.get("span") ?? q.get("uiFind");
  const ids = wanted?.trim().split(/\s+/) ?? [];
  const selected = ids.length > 0 && /^[0-9a-fA-F]{1,16}$/.test(ids[0]!) && m.selectID(ids[0]!);
  const text = q.get("q") ?? (selected ? "" : (q.get("uiFind") ?? ""));
  if (text) void m.search(text);
}

/** Puts the state of the view into the address. */
function writeState(m: TraceModel) {
  const all = m.whole().to;
  const fold = [m.hops && "hops", m.similar && "similar"].filter(Boolean).join(",");
  const usual = mostlyPairs(m.t) ? "hops" : "";
  setParams({
    zoom: m.zoom.from > 0 || m.zoom.to < all ? `${+m.zoom.from.toFixed(3)}-${+m.zoom.to.toFixed(3)}` : null,
    fold: fold === usual ? null : fold || "none",
    cp: m.critical === config.criticalPath ? null : m.critical ? "1" : "0",
    skew: m.adjusted ? "adjusted" : null,
    mode: m.filter.mode === "filter" ? "filter" : null,
    only: [m.filter.errors && "errors", m.filter.path && "path"].filter(Boolean).join(",") || null,
    svc: m.filter.service || null,
    svcFilter: m.svcFilter,
    cols: writeColumns(m.columns),
    min: m.filter.min ? String(m.filter.min) : null,
    q: m.filter.q || null,
    span: m.selected >= 0 ? m.spanID(m.selected) : null,
    uiFind: null,
    root: m.root >= 0 ? hex(m.all.views[m.root]!) : null,
    x: writeCollapsed(m.t, m.collapsed),
    open: writeRows(m.openGroups),
    left: writeRows(m.openPlaces),
  });
}

function Opened({ model }: { model: TraceModel }) {
  const version = useSyncExternalStore(model.subscribe, model.snapshot);
  const { query } = usePlace();
  const viewParam = query.get("view") ?? "";
  const view = (alias[viewParam] ?? (viewNames.some(([v]) => v === viewParam) ? viewParam : "timeline")) as ViewName;
  const setView = (v: ViewName) => setParams({ view: v === "timeline" ? null : v }, true);
  const late = useLateSpans(model);
  const t = model.t;
  const root = rowText(t, 0);
  useEffect(() => {
    document.title = `${root.what || root.who} – ${t.id.slice(0, config.idLength)} – Spandrel`;
  }, [t]);
  const first = useRef(true);
  useEffect(() => {
    if (first.current && query.has("uiFind")) return void (first.current = false); // a deep link stays as it came until something changes
    first.current = false;
    const timer = setTimeout(() => place().path.startsWith(model.source.path + "/") && writeState(model), 200);
    return () => clearTimeout(timer);
  }, [version]);
  useTraceKeys(model, setView);
  const hide = (k: string) => query.get("uiEmbed") === "v0" && query.get(k) === "1";
  const detail = model.selected >= 0 && <Detail model={model} onClose={() => closeDetails(model, true)} />;
  return (
    <div className={hide("uiTimelineHideSummary") ? "trace no-summary" : "trace"}>
      {!hide("uiTimelineCollapseTitle") && <Head model={model} late={late} view={view} setView={setView} root={`${root.what || root.who}`} service={t.services[t.service[0]!] ?? ""} />}
      {view !== "stats" && <FilterBar model={model} version={version} timeline={view === "timeline"} />}
      <div className={detail ? "split with-detail" : "split"}>
        <div className="stage-box">
          {view === "timeline" && <Timeline model={model} version={version} minimap={!hide("uiTimelineHideMinimap")} />}
          {view === "flame" && <Flame model={model} version={version} />}
          {view === "graph" && <Graph model={model} version={version} />}
          {view === "stats" && <Statistics model={model} />}
          {view === "spans" && <SpanTable model={model} version={version} />}
          {view === "logs" && <Logs model={model} version={version} />}
        </div>
        {detail}
      </div>
    </div>
  );
}

/** The rows get the keyboard back that the details had. */
function closeDetails(model: TraceModel, focused: boolean) {
  model.select(-1);
  if (focused) document.querySelector<HTMLElement>(".grid")?.focus();
}

function Head({ model, late, view, setView, root, service }: { model: TraceModel; late: Late; view: ViewName; setView: (v: ViewName) => void; root: string; service: string }) {
  const t = model.t;
  const shown = model.errorsShown, hidden = model.errorRows.length - shown.length;
  const errors = shown.length || hidden;
  const at = Array.prototype.indexOf.call(shown, model.selected);
  const jaeger = `${base}api/traces/${t.id}`;
  const mine = `${base}api/ui/v1/traces/${t.id}/download?format=`;
  const here = model.source === stored;
  return (
    <div className="trace-head">
      <div className="title">
        <Link to={here ? "search" : "upload"} className="quiet" title={here ? "Back to the search" : "Back to the files"}>
          <Icon name="left" label={here ? "Back to the search" : "Back to the files"} />
        </Link>
        <h1>
          <span className="dim">{service.split(".")[0]!.slice(0, 60)}</span> <bdi>{root.slice(0, 200)}</bdi>
        </h1>
        <code className="id" title={t.id}>
          {t.id.slice(0, config.idLength)}
        </code>
        <Copy text={t.id} label="Copy the trace id" />
        {!here && <span className="chip" title="Nobody else can see it: it is in this page alone">from a file</span>}
        {here && (
          <Link className="button small" to={`trace/${t.id}...`}>
            Compare
          </Link>
        )}
        <TraceLinks model={model} />
        {here && config.jsonView && (
          <details className="menu">
            <summary>JSON</summary>
            <div>
              <a href={`${jaeger}?prettyPrint=true`}>Jaeger</a>
              <a href={`${jaeger}?raw=true&prettyPrint=true`}>Jaeger, unadjusted</a>
              <a href={`${mine}zipkin`}>Zipkin</a>
              <a href={`${mine}otlp`}>OTLP</a>
            </div>
          </details>
        )}
      </div>
      <div className="facts">
        <Time at={t.start} long />
        <span>
          <b>{duration(t.duration)}</b>
        </span>
        <span>
          <b>{count(t.n)}</b> {t.n === 1 ? "span" : "spans"}
        </span>
        <span>
          <b>{t.services.length}</b> {t.services.length === 1 ? "service" : "services"}
        </span>
        <span>
          depth <b>{t.depth}</b>
        </span>
        {errors ? (
          <span className="error-jump" role="group" aria-label="Errors">
            <button type="button" className="bad" title="Go to the next error (e)" onClick={() => model.step(model.errorRows, 1)}>
              <Icon name="error" /> {plural(errors, "error")}
              {hidden > 0 && <span className="dim" title="Left out by a filter or with a hidden service"> {shown.length ? `+ ${count(hidden)} hidden` : "hidden"}</span>}
              {at >= 0 && <span className="dim"> {at + 1}/{errors}</span>}
            </button>
            <button type="button" className="small" aria-label="Previous error" onClick={() => model.step(model.errorRows, -1)}>
              <Icon name="up" />
            </button>
            <button type="button" className="small" aria-label="Next error" onClick={() => model.step(model.errorRows, 1)}>
              <Icon name="down" />
            </button>
          </span>
        ) : (
          <span className="dim">no errors</span>
        )}
        {model.root >= 0 && (
          <button type="button" className="chip" title="Only this span and what is below it is shown. Show the whole trace (Shift R)" onClick={() => model.reroot(-1)}>
            part of a trace of {plural(model.all.n, "span")} <Icon name="close" label="Show the whole trace" />
          </button>
        )}
        {t.orphans > 0 && (
          <span className="chip warn" title="Spans name a parent that is not stored (yet)">
            incomplete: {plural(t.orphans, "parent")} missing
          </span>
        )}
        {late.next && (
          <button type="button" className="primary small" onClick={late.take}>
            +{plural(late.next.trace.n - model.all.n, "late span")}: show
          </button>
        )}
        {t.shift && (
          <button type="button" className="small" aria-pressed={model.adjusted} title="Clocks of some hosts differ. Adjusted moves their spans to where they can have been." onClick={() => model.setAdjusted(!model.adjusted)}>
            Clocks adjusted
          </button>
        )}
        <span className="grow" />
        <Tabs label="View" tabs={viewNames} value={view} onChange={setView} />
      </div>
    </div>
  );
}

/** The operator's links of the whole trace. */
function TraceLinks({ model }: { model: TraceModel }) {
  const all = traceLinks(model.all).map((l, i) => (
    <a key={i} href={l.url} target={elsewhere} rel="noopener noreferrer" className="external">
      <Icon name="link" /> {l.text}
    </a>
  ));
  if (all.length < 3) return all;
  return (
    <details className="menu">
      <summary>Links</summary>
      <div>{all}</div>
    </details>
  );
}

interface Late { next: LoadedTrace | null; take: () => void }

/** Asks every few seconds whether spans have come since, for as long as somebody looks. */
function useLateSpans(model: TraceModel): Late {
  const [next, setNext] = useState<LoadedTrace | null>(null);
  useEffect(() => {
    if (model.source !== stored) return; // a file does not grow
    const abort = new AbortController();
    let { etag, tags } = model;
    const opened = performance.now();
    const timer = setInterval(() => {
      if (document.hidden || performance.now() - opened > 30 * 60_000) return;
      if (model.tags !== tags) ({ etag, tags } = model); // columns were chosen
      model.source.newer(model.t.id, tags, etag, abort.signal).then(
        (l) => {
          if (!l) return;
          etag = l.etag;
          if (l.trace.n !== model.all.n) setNext(l);
        },
        () => {}, // the next turn asks again
      );
    }, model.t.n > 200_000 ? 30_000 : 3000);
    return () => (clearInterval(timer), abort.abort());
  }, [model, next]);
  return {
    next: next && next.trace.n > model.all.n ? next : null, // a column that was asked for may have brought them
    take: () => {
      if (next) model.update(next);
      void model.setColumns(model.columns); // chosen since
      setNext(null);
    },
  };
}

function Timeline({ model, version, minimap }: { model: TraceModel; version: number; minimap: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const grid = useRef<Grid | null>(null);
  const [names, setNames] = useState(() => Math.max(140, Number(pref("names", "0")) || Math.round(window.innerWidth < 600 ? window.innerWidth * 0.58 : Math.min(620, window.innerWidth * 0.42))));
  // Not useEffect: the rows belong to the frame that shows what else has changed.
  useLayoutEffect(() => {
    const g = new Grid(model);
    grid.current = g;
    box.current!.append(g.el);
    g.setNameWidth(names);
    const api = { scroll: (px: number) => g.scrollBy(px) };
    scrollers.add(api);
    return () => (scrollers.delete(api), g.destroy());
  }, [model]);
  const selected = model.selected;
  // The panel of details takes room: the rows are drawn once, for what is left, and not again when the size is reported.
  useLayoutEffect(() => void grid.current?.measure(), [selected >= 0]);
  useLayoutEffect(() => grid.current?.showSelected(), [selected, model.t]);
  useLayoutEffect(() => grid.current?.draw(), [version, model]);
  useLayoutEffect(() => grid.current?.setNameWidth(names), [names]);
  const size = useSize(box);
  const fit = fitColumns(size.width - names, model.columns.length);
  const columns = model.columns.slice(0, fit.count);
  useLayoutEffect(() => grid.current?.setColumns(columns, fit.width), [columns.join(","), fit.width, model]);
  const drag = (e: React.PointerEvent) => {
    const left = box.current!.getBoundingClientRect().left;
    e.currentTarget.setPointerCapture(e.pointerId);
    const move = (x: PointerEvent) => setNames(Math.max(120, Math.min(box.current!.clientWidth - 120, x.clientX - left)));
    const el = e.currentTarget;
    el.addEventListener("pointermove", move as EventListener);
    el.addEventListener("pointerup", () => el.removeEventListener("pointermove", move as EventListener), { once: true });
  };
  useEffect(() => {
    if (names !== Number(pref("names", "0"))) setPref("names", String(names));
  }, [names]);
  return (
    <div className="timeline">
      {minimap && <Minimap model={model} version={version} />}
      <div className="ruler-box">
        <span className="ruler-title" style={{ width: names }}>
          Service and operation
        </span>
        {columns.map((k, i) => (
          <span key={k} className="ruler-title column" style={{ left: names + i * fit.width, width: fit.width }} title={k}>
            <bdi>{k}</bdi>
          </span>
        ))}
        <Ruler model={model} left={names + columns.length * fit.width} />
        <div
          className="divider"
          role="separator"
          aria-orientation="vertical"
          aria-label="Width of the names"
          aria-valuenow={Math.round(names)}
          aria-valuemin={120}
          aria-valuemax={2000}
          tabIndex={0}
          style={{ left: names }}
          onPointerDown={drag}
          onKeyDown={(e) => {
            const d = e.key === "ArrowRight" ? 20 : e.key === "ArrowLeft" ? -20 : 0;
            if (d) (e.preventDefault(), e.stopPropagation(), setNames((n) => Math.max(120, n + d)));
          }}
        />
      </div>
      {model.layout.rows.length === 0 && <p className="nothing">No span passes the filter.</p>}
      <div className="grid-box" ref={box} />
    </div>
  );
}

const scrollers = new Set<{ scroll: (px: number) => void }>();

/** Jaeger's keys and ours. Those of the grid itself are handled there. */
function useTraceKeys(model: TraceModel, setView: (v: ViewName) => void) {
  useLayoutEffect(() => { // keys work as soon as there is something to see
    let afterV = -Infinity;
    const press = (e: KeyboardEvent) => {
      const findField = document.querySelector<HTMLInputElement>("[data-find] input");
      if ((e.ctrlKey || e.metaKey) && e.key === "b") return e.preventDefault(), findField?.focus();
      if (e.key === "Escape") {
        if (document.querySelector("dialog[open]")) return;
        if (typingIn(e.target)) (e.target as HTMLElement).blur();
        if (model.filter.q) void model.search("");
        else if (model.selected >= 0) closeDetails(model, document.querySelector(".detail :focus") !== null);
        return;
      }
      if (typingIn(e.target) || e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || document.querySelector("dialog[open]")) return;
      if ((e.target as Element).closest?.("[role=tab],[role=separator]") && e.key.startsWith("Arrow")) return;
      const far = e.shiftKey;
      const scroll = (d: number) => scrollers.forEach((s) => s.scroll(d * rowHeight * (far ? 10 : 3)));
      const found = model.foundBits ? Array.from(model.found!) : [];
      const visible = () => Array.from(model.layout.rows).filter((r) => r >= 0);
      if (performance.now() - afterV < 1500 && /^[1-6]$/.test(e.key)) {
        afterV = -Infinity;
        return setView(viewNames[Number(e.key) - 1]![0]);
      }
      const keys: Record<string, () => void> = {
        s: () => scroll(1), w: () => scroll(-1),
        a: () => model.panZoom(far ? -0.05 * 4 : -0.02, 1), d: () => model.panZoom(far ? 0.05 * 4 : 0.02, 1),
        arrowleft: () => model.panZoom(far ? -0.2 : -0.02, 1), arrowright: () => model.panZoom(far ? 0.2 : 0.02, 1),
        arrowup: () => model.panZoom(0, far ? 0.6 : 0.9), arrowdown: () => model.panZoom(0, far ? 1.6 : 1 / 0.9),
        "]": () => model.collapse(true), "[": () => model.collapse(false), p: () => model.collapseOne(true), o: () => model.collapseOne(false),
        e: () => void model.step(model.errorRows, far ? -1 : 1),
        n: () => void model.step(found, far ? -1 : 1),
        f: () => void model.step(found.length ? found : visible(), 1), b: () => void model.step(found.length ? found : visible(), -1),
        h: () => model.t.pair && model.set(() => (model.hops = !model.hops)),
        m: () => model.set(() => (model.similar = !model.similar)),
        c: () => model.set(() => (far ? (model.filter = { ...model.filter, path: !model.filter.path }) : (model.critical = !model.critical))),
        i: () => void model.step([...new Set(Array.from(model.criticalPath.row))].sort((x, y) => x - y), 1),
        "0": () => model.setZoom(0, model.whole().to),
        r: () => (far ? model.root >= 0 && model.reroot(-1) : model.selectedShown > 0 && model.reroot(model.selectedShown)),
        z: () => model.selected >= 0 && model.setZoom(model.from(model.selected), model.from(model.selected) + Math.max(model.t.took[model.selected]!, 1)),
        v: () => void (afterV = performance.now()),
        y: () => void copyText(far ? model.t.id : location.href),
      };
      const act = keys[e.key.toLowerCase()];
      if (act) (e.preventDefault(), act());
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [model]);
}
