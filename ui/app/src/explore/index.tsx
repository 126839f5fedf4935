// Explore: find traces. The whole state of the view is in the address.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { ApiError, askEarly, type SearchAnswer, type Summary, tagKeys, useJson } from "../api";
import { ColumnMenu } from "../column-menu";
import { readColumns, writeColumns } from "../columns";
import { config } from "../config";
import { count, duration, goDuration, percent, plural } from "../format";
import { type Column, Flags, Icon, Link, type RowFocus, Service, sorted, Status, Table, Tabs, Time, Trouble } from "../kit";
import { condition } from "../logfmt";
import { splitService } from "../mesh";
import { base, go, href, place, usePlace, withParams } from "../router";
import { QueryInput } from "../query-input";
import { Chart, type ChartKind } from "./chart";
import { type Choice, countFacet, facets, readChoices, refine, rootName, writeChoice } from "./facets";
import { SearchForm } from "./form";
import { type ExploreAction, useExploreKeys } from "./keys";
import { apiQuery, type Brush, lookbackMicros, readBrush, readSearch, type Search, withRange, writeBrush, writeSearch } from "./state";
import { useTail } from "./tail";
import { EmptyStore } from "../empty";

/** Parameters of the view that a new search keeps. */
const kept = ["sort", "chart", "live", "cols", "uiEmbed", "uiSearchHideGraph", "uiTheme"];

// What the address searches for is asked for before the view is drawn.
if (place().path === "search") {
  const search = readSearch(place().query);
  if (!isReady(search, place().query)) show(withRange(search, Date.now() * 1000), place().query, true);
  const now = readSearch(place().query);
  if (!now.problem) askEarly(`search?${apiQuery(now, readColumns(place().query))}`);
}

/** A search without a range gets one. */
function isReady(search: Search, query: URLSearchParams): boolean {
  return search.traceIDs.length > 0 || (search.start !== null && search.end !== null && query.has("lookback"));
}

export default function Explore() {
  const { query } = usePlace();
  const search = useMemo(() => readSearch(query), [query]);
  const ready = isReady(search, query);
  useEffect(() => {
    document.title = `${search.service || "All services"} – Spandrel`;
    if (!ready) show(withRange(search, Date.now() * 1000), query, true); // so that the link means the same tomorrow
  }, [ready, query]);
  const cols = readColumns(query);
  const found = useJson<SearchAnswer>(ready && !search.problem ? `search?${apiQuery(search, cols)}` : null);
  const live = query.get("live") === "1";
  const tail = useTail(live ? search : null, cols);
  const all = useMemo(() => (live ? tail.merge(found.data?.traces ?? []) : (found.data?.traces ?? [])), [found.data, live, tail.version]);
  const brush = readBrush(query.get("sel"));
  const choices = useMemo(() => readChoices(query), [query]);
  const shown = useMemo(() => refine(all, choices, brush), [all, choices, query.get("sel")]);
  const error = search.problem ? new ApiError(400, search.problem.message, search.problem.param) : found.error;
  const embedded = query.get("uiEmbed") === "v0";
  const [formOpen, setFormOpen] = useState(() => matchMedia("(min-width: 900px)").matches && !embedded);
  return (
    <div className={`explore ${formOpen ? "" : "no-form"}`}>
      <aside className="side" hidden={!formOpen} aria-label="Search and facets">
        <SearchForm search={search} error={error} onFind={(s) => show(withRange(s, Date.now() * 1000), query)} />
        <Facets traces={all} choices={choices} onChange={(next) => setRepeated(query, "facet", next.map(writeChoice))} />
      </aside>
      <section className="main" aria-label="Traces">
        <QueryBar search={search} error={error?.param === "q" ? error : undefined} onFind={(s) => show(withRange({ ...s, ...moving(s) }, Date.now() * 1000), query)}>
          <button type="button" aria-expanded={formOpen} onClick={() => setFormOpen(!formOpen)}>
            {formOpen ? "Hide form" : "Form"}
          </button>
          <button type="button" aria-pressed={live} className={live ? "on" : ""} title="Show traces as they arrive" onClick={() => setOne(query, "live", live ? null : "1")}>
            <Icon name="live" /> Live
          </button>
          {config.upload && (
            <Link className="button" to="upload" title="Look at traces in a file; it can be dropped anywhere on the page">
              Open file
            </Link>
          )}
        </QueryBar>
        {error && error.param !== "q" && <Trouble error={error} retry={error.status === 400 ? undefined : found.reload} />}
        {tail.error && <Trouble error={tail.error} />}
        <Results search={search} query={query} cols={cols} answer={found.data} loading={found.loading || !ready} ms={found.ms} failed={!!error} all={all} shown={shown} brush={brush} choices={choices} pending={tail.pending} onPending={tail.apply} hold={tail.hold} dropped={tail.dropped} />
      </section>
    </div>
  );
}

/** A look-back follows the clock when asked again; a custom range stays. */
const moving = (s: Search) => (s.lookback === "custom" ? {} : { start: null, end: null });

function show(s: Search, query: URLSearchParams, replace = false) {
  const p = writeSearch(s);
  for (const k of kept) if (query.has(k)) p.set(k, query.get(k)!);
  if (replace) {
    for (const k of ["sel", "view"]) if (query.has(k)) p.set(k, query.get(k)!);
    for (const f of query.getAll("facet")) p.append("facet", f);
    for (const f of query.getAll("span")) p.append("span", f);
  }
  go("search?" + p, replace);
}

function setOne(query: URLSearchParams, key: string, value: string | null) {
  go("search" + withParams(query, { [key]: value }), false);
}

function setRepeated(query: URLSearchParams, key: string, values: string[]) {
  const next = new URLSearchParams(query);
  next.delete(key);
  for (const v of values) next.append(key, v);
  go("search?" + next);
}

function QueryBar({ search, error, onFind, children }: { search: Search; error?: ApiError; onFind: (s: Search) => void; children: React.ReactNode }) {
  const [q, set] = useState(search.q);
  useLayoutEffect(() => set(search.q), [search.q]);
  return (
    <div className="query-bar">
      <Icon name="search" />
      <QueryInput label="Query" value={q} onChange={set} onSubmit={() => onFind({ ...search, q: q.trim() })} service={search.service} placeholder="Query: response_flags~U  http.status_code>=500  !retry.count  duration>100ms" invalid={!!error} describedBy={error ? "wrong-q" : undefined} />
      <button type="button" onClick={() => onFind({ ...search, q: q.trim() })}>
        Find
      </button>
      {children}
      {error && (
        <span className="wrong" id="wrong-q" role="alert">
          <Icon name="error" /> The query cannot be read: {error.message}
        </span>
      )}
    </div>
  );
}

interface ResultsProps {
  search: Search; query: URLSearchParams; cols: string[]; answer?: SearchAnswer; loading: boolean; ms?: number; failed: boolean; all: Summary[]; shown: Summary[];
  brush: Brush | null; choices: Choice[]; pending: number; onPending: () => void; hold: (on: boolean) => void; dropped: number;
}

function Results({ search, query, cols, answer, loading, ms, failed, all, shown, brush, choices, pending, onPending, hold, dropped }: ResultsProps) {
  const sort = query.get("sort") ?? "-start";
  const range = `${search.service ? `service=${encodeURIComponent(search.service)}&` : ""}${search.start !== null && search.end !== null ? `start=${search.start}&end=${search.end}` : "lookback=1h"}`;
  const chart = (["scatter", "heat", "hist"].includes(query.get("chart") ?? "") ? query.get("chart") : "scatter") as ChartKind;
  const [chosen, setChosen] = useState<string[]>([]);
  const max = useMemo(() => shown.reduce((m, t) => Math.max(m, t.duration), 1), [shown]);
  const spanLinks = useMemo(() => readSpanLinks(query), [query]);
  const link = (t: Summary) => traceLink(t, search, spanLinks);
  const columns: Column<Summary>[] = [
    {
      key: "pick", label: <span className="visually-hidden">Compare</span>, width: "28px",
      cell: (t) => <input type="checkbox" aria-label={`Choose ${rootName(t).slice(0, 80)} of ${t.id.slice(0, config.idLength)} to compare`} checked={chosen.includes(t.id)} onChange={() => setChosen((c) => (c.includes(t.id) ? c.filter((x) => x !== t.id) : [...c, t.id]))} />,
    },
    {
      key: "name", label: "Trace", width: "minmax(130px, 2.6fr)", by: (t) => rootName(t),
      cell: (t) => (
        <span className="trace-name">
          <Icon name={t.errors ? "error" : "ok"} label={t.errors ? "with errors" : "without errors"} />
          <Link to={link(t)} title={`${t.root.service}: ${t.root.operation}\n${t.id}`}>
            <bdi>{rootName(t).slice(0, 200)}</bdi>
          </Link>
          <span className="dim">
            <Service name={t.root.service.slice(0, 100)} />
          </span>
          {t.orphans > 0 && <span className="chip" title={`${plural(t.orphans, "span")} whose parent is not stored`}>incomplete</span>}
        </span>
      ),
    },
    { key: "status", label: "Status", width: "64px", by: (t) => Number(t.root.status ?? 0), cell: (t) => <Status code={t.root.status} /> },
    { key: "flags", label: "Flags", width: "96px", title: "Envoy's response flags of all spans", by: (t) => Object.keys(t.flags ?? {}).join(), cell: (t) => <span className="clip">{Object.keys(t.flags ?? {}).slice(0, 3).map((f) => <Flags key={f} text={f} />)}</span>, spare: 3 },
    ...cols.map((key): Column<Summary> => ({
      key: "tag:" + key, label: <bdi>{key.slice(0, 60)}</bdi>, title: key, width: "minmax(70px, 1fr)", by: tagOrder(shown, key), spare: 3,
      cell: (t) => <bdi title={t.columns?.[key]?.join("\n")}>{t.columns?.[key]?.join(", ").slice(0, 300)}</bdi>,
    })),
    { key: "services", label: "Services", width: "minmax(120px, 2fr)", by: (t) => t.services.length, cell: (t) => <ServicePills trace={t} />, spare: 3 },
    { key: "spans", label: "Spans", width: "64px", right: true, by: (t) => t.spans, cell: (t) => count(t.spans), spare: 3 },
    { key: "errors", label: "Errors", width: "64px", right: true, by: (t) => t.errors, cell: (t) => (t.errors ? <span className="bad">{count(t.errors)}</span> : <span className="dim">0</span>), spare: 2 },
    {
      key: "duration", label: "Duration", width: "minmax(84px, 1fr)", by: (t) => t.duration,
      cell: (t) => (
        <span className="bar-cell">
          <span className={t.errors ? "bar bad" : "bar"} style={{ width: `${Math.max(1, (t.duration / max) * 100)}%` }} />
          <span>{duration(t.duration)}</span>
        </span>
      ),
    },
    { key: "start", label: "Start", width: "104px", right: true, by: (t) => t.start, cell: (t) => <Time at={t.start} />, spare: 1 },
  ];
  const rows = useMemo(() => sorted(shown, columns, sort), [shown, sort, cols.join(",")]);
  const narrowed = choices.length > 0 || brush;
  const focus = useRef<RowFocus>(null);
  const again = (s: Search) => show(withRange(s, Date.now() * 1000), query);
  const shiftWindow = (by: number) => {
    if (search.start === null || search.end === null) return;
    const shift = by * (search.end - search.start);
    again({ ...search, lookback: "custom", start: Math.max(0, search.start + shift), end: search.end + shift });
  };
  const actions: Record<ExploreAction, () => void> = {
    down: () => focus.current?.move(1),
    up: () => focus.current?.move(-1),
    choose: () => focus.current?.row()?.querySelector<HTMLElement>("input[type=checkbox]")?.click(),
    compare: () => chosen.length >= 2 && go(compareLink(chosen)),
    scatter: () => setOne(query, "chart", null),
    heat: () => setOne(query, "chart", "heat"),
    hist: () => setOne(query, "chart", "hist"),
    older: () => shiftWindow(-1),
    newer: () => shiftWindow(1),
    live: () => setOne(query, "live", query.get("live") === "1" ? null : "1"),
    refresh: () => again({ ...search, ...moving(search) }),
  };
  useExploreKeys((a) => actions[a]());
  /** On its way from the rows to the button that shows what waits, the pointer still holds them. */
  const keepHold = (e: React.PointerEvent) => hold(e.relatedTarget instanceof Element && e.relatedTarget.closest(".result-bar, .fill") !== null);
  if (!all.length && !loading && !failed && answer) return <NothingFound search={search} query={query} missing={answer.missing} />;
  return (
    <>
      {query.get("uiSearchHideGraph") !== "1" && all.length > 0 && (
        <div className="chart-box">
          <Chart traces={all} kind={chart} brush={brush} onBrush={(b) => setOne(query, "sel", writeBrush(b))} onOpen={(t) => go(link(t))} />
        </div>
      )}
      <div className="result-bar" onPointerLeave={keepHold}>
        <strong aria-live="polite">
          {loading && !all.length ? "Searching…" : narrowed ? `${count(shown.length)} of ${plural(all.length, "trace")}` : plural(all.length, "trace")}
          {answer?.more && " (there are more)"}
        </strong>
        {ms !== undefined && <span className="dim">in {Math.round(ms)} ms</span>}
        {answer?.complete === false && <span className="chip warn">gave up after {count(answer.examined ?? 0)} traces</span>}
        {dropped > 0 && <span className="chip warn">{count(dropped)} not shown: too many at once</span>}
        {brush && (
          <button type="button" className="chip" onClick={() => setOne(query, "sel", null)}>
            selection: {brush.y0 > 0 || brush.y1 < 1e12 ? `${duration(brush.y0)} to ${duration(brush.y1)}` : "a range of time"} <Icon name="close" label="clear" />
          </button>
        )}
        {choices.map((c) => (
          <button key={writeChoice(c)} type="button" className="chip" onClick={() => setRepeated(query, "facet", choices.filter((x) => x !== c).map(writeChoice))}>
            {c.not ? "not " : ""}
            {c.value.slice(0, 60)} <Icon name="close" label="clear" />
          </button>
        ))}
        {pending > 0 && (
          <button type="button" className="primary small" onClick={onPending}>
            {plural(pending, "new trace")} ↑
          </button>
        )}
        <span className="grow" />
        {brush && <Differences search={search} brush={brush} onAdd={(q) => show(withRange({ ...search, q: `${search.q} ${q}`.trim() }, 0), query)} />}
        <ColumnMenu chosen={cols} onChange={(keys) => setOne(query, "cols", writeColumns(keys))} keys={(prefix, signal) => tagKeys(range, prefix, signal)} of={range} />
        <Tabs label="Chart" value={chart} onChange={(k) => setOne(query, "chart", k === "scatter" ? null : k)} tabs={[["scatter", "Scatter"], ["heat", "Heat map"], ["hist", "Histogram"]]} />
      </div>
      <div className="fill" onPointerEnter={() => hold(true)} onPointerLeave={keepHold}>
        <Table label="Traces found" className="traces" columns={columns} rows={rows} sort={sort} onSort={(s) => setOne(query, "sort", s === "-start" ? null : s)} id={(t) => t.id} height={34} onOpen={(t, e) => (e.ctrlKey || e.metaKey ? window.open(href(link(t))) : go(link(t)))} selected={(t) => chosen.includes(t.id)} focus={focus} />
      </div>
      {chosen.length > 0 && (
        <div className="chosen" role="status">
          {plural(chosen.length, "trace")} chosen
          {chosen.length >= 2 && <Link className="button primary" to={compareLink(chosen)}>Compare</Link>}
          {config.jsonView && chosen.length <= 100 && ( // an address holds no more
            <a className="button" download="traces.json" href={`${base}api/traces?${chosen.map((id) => "traceID=" + id).join("&")}`}>
              Download
            </a>
          )}
          <button type="button" onClick={() => setChosen([])}>
            Clear
          </button>
        </div>
      )}
    </>
  );
}

/** What a column of a tag sorts by: numbers if all its values are. */
function tagOrder(traces: Summary[], key: string): (t: Summary) => number | string {
  const first = (t: Summary) => t.columns?.[key]?.[0];
  const numeric = traces.every((t) => first(t) === undefined || (first(t)!.trim() !== "" && Number.isFinite(Number(first(t)))));
  return numeric ? (t) => Number(first(t) ?? -Infinity) : (t) => first(t) ?? "";
}

/** span=<span>[ <span>…]@<trace>: what a trace's link should point at. */
export function readSpanLinks(query: URLSearchParams): Map<string, string> {
  return new Map(query.getAll("span").flatMap((s) => {
    const at = s.lastIndexOf("@");
    return at > 0 ? [[s.slice(at + 1), s.slice(0, at)] as const] : [];
  }));
}

function traceLink(t: Summary, search: Search, spans: Map<string, string>): string {
  const find = spans.get(t.id) ?? spans.get(t.id.replace(/^0+/, ""));
  if (find) return `trace/${t.id}?uiFind=${encodeURIComponent(find)}`;
  const q = [search.q, ...Object.entries(search.tags).map(([k, v]) => condition(k, "=", v)), search.errors === "span" ? "error" : ""].filter(Boolean).join(" ");
  return `trace/${t.id}${q ? "?q=" + encodeURIComponent(q) : ""}`;
}

const compareLink = (ids: string[]) => `trace/${ids[0]}...${ids[1]}?${ids.slice(0, 10).map((c) => "cohort=" + c).join("&")}`;

function ServicePills({ trace }: { trace: Summary }) {
  // the root's service stands beside the name; those with errors must not be cut off
  const others = trace.services.filter((s) => s.name !== trace.root.service || trace.services.length === 1 || s.errors).sort((a, b) => Number(b.errors > 0) - Number(a.errors > 0));
  const rest = others.length - 4 + (trace.moreServices ?? 0);
  return (
    <span className="pills">
      {others.slice(0, 4).map((s) => (
        <span key={s.name} className={s.errors ? "pill bad" : "pill"} title={`${s.name}: ${plural(s.spans, "span")}${s.errors ? `, ${plural(s.errors, "error")}` : ""}${s.revisions?.length ? `, revision ${s.revisions.join(", ")}` : ""}`}>
          <bdi>{splitService(s.name).name.slice(0, 60)}</bdi> {s.revisions?.length === 1 && <span className="dim">{s.revisions[0]!.slice(0, 12)}</span>}
          {s.errors > 0 && <span className="bad">▲{s.errors}</span>}
        </span>
      ))}
      {rest > 0 && <span className="dim">+{rest}</span>}
    </span>
  );
}

function Facets({ traces, choices, onChange }: { traces: Summary[]; choices: Choice[]; onChange: (c: Choice[]) => void }) {
  const counted = useMemo(() => facets.map((f) => ({ f, values: countFacet(f, traces) })), [traces]);
  if (!traces.length) return null;
  const toggle = (key: string, value: string, not: boolean) => {
    const had = choices.find((c) => c.key === key && c.value === value);
    const rest = choices.filter((c) => c !== had);
    onChange(had && had.not === not ? rest : [...rest, { key, value, not }]);
  };
  return (
    <div className="facets" aria-label="Facets" role="group">
      {counted.map(({ f, values }) =>
        values.length > 1 || choices.some((c) => c.key === f.key) ? (
          <details key={f.key} open={f.key !== "operation" && f.key !== "revision"}>
            <summary>{f.title}</summary>
            <ul>
              {values.slice(0, 10).map(([v, n]) => {
                const c = choices.find((x) => x.key === f.key && x.value === v);
                return (
                  <li key={v} className={c?.not ? "out" : ""}>
                    <label title={v}>
                      <input type="checkbox" checked={!!c && !c.not} onChange={() => toggle(f.key, v, false)} />
                      <bdi>{v.slice(0, 80)}</bdi>
                      <span className="dim">{count(n)}</span>
                    </label>
                    <button type="button" className="quiet small" title={`Leave out ${v.slice(0, 80)}`} aria-label={`Leave out ${v.slice(0, 80)}`} aria-pressed={!!c?.not} onClick={() => toggle(f.key, v, true)}>
                      ≠
                    </button>
                  </li>
                );
              })}
              {values.length > 10 && <li className="dim">and {count(values.length - 10)} more</li>}
            </ul>
          </details>
        ) : null,
      )}
    </div>
  );
}

interface Diff { selected: number; rest: number; tags: { key: string; value: string; selected: number; rest: number; score: number }[]; partial: boolean }

/** What the traces of the selection have that the others have not. */
function Differences({ search, brush, onAdd }: { search: Search; brush: Brush; onAdd: (q: string) => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  const p = new URLSearchParams(apiQuery({ ...search, limit: Math.max(search.limit, 200) }));
  for (const [k, v] of [["selStart", brush.x0], ["selEnd", brush.x1], ["selMin", brush.y0], ["selMax", brush.y1]] as const) p.set(k, String(Math.round(v)));
  const { data, error } = useJson<Diff>(open ? `diff?${p}` : null);
  return (
    <>
      <button type="button" onClick={() => (setOpen(true), dialog.current?.showModal())}>
        What differs here?
      </button>
      <dialog ref={dialog} aria-label="What differs in the selection" onClose={() => setOpen(false)}>
        <h2>What differs in the selection</h2>
        {error && <Trouble error={error} />}
        {open && data && (
          <>
            <p className="dim">
              {plural(data.selected, "trace")} selected, {count(data.rest)} others{data.partial ? " (not all spans were looked at)" : ""}. The greatest differences first.
            </p>
            <table className="plain">
              <thead>
                <tr>
                  <th>Tag</th>
                  <th className="right">Selected</th>
                  <th className="right">Others</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                {data.tags.slice(0, 20).map((t) => (
                  <tr key={t.key + "=" + t.value}>
                    <td>
                      <code>
                        <bdi>{`${t.key}=${t.value}`.slice(0, 140)}</bdi>
                      </code>
                    </td>
                    <td className="right">{percent(t.selected, data.selected)}</td>
                    <td className="right">{percent(t.rest, data.rest)}</td>
                    <td>
                      <button type="button" className="small" onClick={() => onAdd(condition(t.key, "=", t.value))}>
                        Search
                      </button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
            {!data.tags.length && <p>Nothing: the selected traces have the same tags as the others.</p>}
          </>
        )}
        <form method="dialog">
          <button>Close</button>
        </form>
      </dialog>
    </>
  );
}

/** Nothing found: what would find something. */
function NothingFound({ search, query, missing }: { search: Search; query: URLSearchParams; missing?: string[] }) {
  const now = Date.now() * 1000;
  const loose: Search = { ...search, tags: {}, q: "", operation: "", minDuration: "", maxDuration: "", errors: "" };
  const length = (search.end ?? now) - (search.start ?? now);
  const wider: Search = { ...search, lookback: length < lookbackMicros("2d")! ? "2d" : "4w", start: null, end: null };
  const probe = (s: Search) => `search?${apiQuery({ ...withRange(s, now), limit: 1 })}`;
  const widened = useJson<SearchAnswer>(search.traceIDs.length ? null : `search?lookback=${wider.lookback}&${apiQuery({ ...wider, limit: 1 })}`);
  const hasConditions = JSON.stringify(loose) !== JSON.stringify(search);
  const loosened = useJson<SearchAnswer>(!search.traceIDs.length && hasConditions ? probe(loose) : null);
  const all: Search = { ...loose, service: "" };
  const others = useJson<SearchAnswer>(search.service && !search.traceIDs.length ? probe(all) : null);
  const status = useJson<{ store: { spans?: number; newest?: number } }>("status", 5000);
  if (search.traceIDs.length)
    return (
      <div className="nothing">
        <h2>No such trace</h2>
        <p>Not stored: {(missing ?? search.traceIDs).slice(0, 20).join(", ")}</p>
      </div>
    );
  if (status.data && !status.data.store.newest && !status.data.store.spans) return <EmptyStore />;
  return (
    <div className="nothing">
      <h2>No trace meets all of this</h2>
      <p className="dim">All conditions must hold on one span, which began within {duration(length)} before the end of the range.</p>
      <ul>
        {widened.data && widened.data.traces.length > 0 && (
          <li>
            The last one that does is older: <Time at={widened.data.traces[0]!.matched || widened.data.traces[0]!.start} long fraction={0} />.{" "}
            <button type="button" className="primary" onClick={() => show(withRange(wider, now), query)}>
              Look back {wider.lookback}
            </button>
          </li>
        )}
        {loosened.data && loosened.data.traces.length > 0 && (
          <li>
            There are traces{search.service ? ` of ${search.service}` : ""} without the other conditions.{" "}
            <button type="button" onClick={() => show(withRange(loose, now), query)}>
              Remove the conditions
            </button>
          </li>
        )}
        {others.data && others.data.traces.length > 0 && !loosened.data?.traces.length && (
          <li>
            No trace of <b>{search.service.slice(0, 120)}</b> is stored in this range, but there are some of others.{" "}
            <button type="button" onClick={() => show(withRange(all, now), query)}>
              Search all services
            </button>
          </li>
        )}
        {(search.minDuration || search.maxDuration) && <li>Durations are those of the matching span{search.minDuration && `, at least ${goDuration(0) && search.minDuration}`}.</li>}
      </ul>
    </div>
  );
}

