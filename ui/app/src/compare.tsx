// Compare two traces: what was added or removed, and how durations changed.
import { useEffect, useLayoutEffect, useMemo, useState } from "react";
import { ApiError } from "./api";
import { Candidates } from "./compare-candidates";
import { merge, type Merged } from "./compare-merge";
import { Delta, Name, openSpan, words } from "./compare-parts";
import { Timelines } from "./compare-timelines";
import { count, duration } from "./format";
import { findTraceID } from "./ids";
import { type Column, Link, sorted, Table, Tabs, Time, Trouble } from "./kit";
import { later } from "./later";
import { go, setParams, usePlace } from "./router";
import { stored } from "./trace/load";
import { mostlyPairs } from "./trace/rows";
import type { Skeleton } from "./trace/skeleton";

const Graph = later(() => import("./compare-graph"));
const Attributes = later(() => import("./compare-attributes"));

const modes = [["tree", "Tree"], ["timeline", "Timelines"], ["graph", "Graph"], ["attributes", "Attributes"]] as [Mode, string][];
type Mode = "tree" | "timeline" | "graph" | "attributes";

export default function Compare({ pair: ids }: { pair: string }) {
  const [left, right] = ids.split("...") as [string, string];
  const { query } = usePlace();
  const cohort = [...new Set([left, right, ...query.getAll("cohort")].filter(Boolean))];
  const a = useTrace(left), b = useTrace(right);
  const hops = useMemo(() => [a.trace, b.trace].some((t) => t && mostlyPairs(t)), [a.trace, b.trace]);
  const fold = query.get("fold") ? query.get("fold") !== "none" : hops;
  const only = query.get("only") ?? "";
  const sort = query.get("sort") ?? "";
  const mode = modes.find(([m]) => m === query.get("mode"))?.[0] ?? "tree";
  const all = useMemo(() => merge(a.trace, b.trace, fold), [a.trace, b.trace, fold]);
  const rows = useMemo(() => all.filter((m) => !only || (only === "structure" ? m.state !== "same" : Math.abs(m.b.total - m.a.total) > 0.1 * Math.max(m.a.total, m.b.total))), [all, only]);
  const pair = a.trace && b.trace ? { a: a.trace, b: b.trace } : null;
  const most = rows.reduce((m, r) => Math.max(m, Math.abs(r.b.total - r.a.total)), 1);
  useEffect(() => void (document.title = "Compare – Spandrel"), []);
  const to = (l: string, r: string) => go(`trace/${l}...${r}?${cohort.map((c) => "cohort=" + c).join("&")}`);
  const columns: Column<Merged>[] = [
    {
      key: "name", label: "Span", width: "minmax(130px, 3fr)",
      cell: (m) => <Name of={m} level={sort ? 0 : m.level} />,
    },
    { key: "state", label: "Change", width: "92px", by: (m) => m.state, cell: (m) => <span className={`diff ${m.state}`}>{words[m.state]}</span>, spare: 1 },
    { key: "count", label: "Spans", width: "78px", right: true, by: (m) => m.b.count - m.a.count, cell: (m) => (m.a.count === m.b.count ? count(m.a.count) : `${count(m.a.count)} → ${count(m.b.count)}`), spare: 2 },
    { key: "errors", label: "Errors", width: "70px", right: true, by: (m) => m.b.errors - m.a.errors, cell: (m) => (m.a.errors + m.b.errors ? <span className="bad">{m.a.errors === m.b.errors ? m.a.errors : `${m.a.errors} → ${m.b.errors}`}</span> : <span className="dim">0</span>), spare: 3 },
    { key: "a", label: "A", width: "86px", right: true, by: (m) => m.a.total, cell: (m) => (m.a.count ? duration(m.a.total) : "–"), spare: 3 },
    { key: "b", label: "B", width: "86px", right: true, by: (m) => m.b.total, cell: (m) => (m.b.count ? duration(m.b.total) : "–"), spare: 3 },
    { key: "delta", label: "Difference", width: "168px", right: true, by: (m) => m.b.total - m.a.total, cell: (m) => <Delta a={m.a.total} b={m.b.total} both={m.a.count > 0 && m.b.count > 0} none={words[m.state]} /> },
    {
      key: "bar", label: "B faster | slower", width: "minmax(90px, 1fr)", spare: 3,
      cell: (m) => {
        const d = m.b.total - m.a.total, w = (Math.abs(d) / most) * 50;
        return (
          <span className="diverge" aria-hidden="true">
            <i className={d > 0 ? "slower" : "faster"} style={{ left: d > 0 ? "50%" : `${50 - w}%`, width: `${w}%` }} />
          </span>
        );
      },
    },
  ];
  return (
    <div className="page-col">
      <div className="page-head compare-head">
        <h1>Compare</h1>
        <Picker label="A" id={left} other={cohort} state={a} onPick={(id) => to(id, right)} />
        <button type="button" className="small" title="Swap A and B" aria-label="Swap A and B" onClick={() => to(right, left)}>
          ⇄
        </button>
        <Picker label="B" id={right} other={cohort} state={b} onPick={(id) => to(left, id)} />
      </div>
      {a.error && <Trouble error={a.error} />}
      {b.error && <Trouble error={b.error} />}
      {pair ? (
        <>
          <div className="result-bar">
            <strong>
              {duration(pair.a.duration)} → {duration(pair.b.duration)}
            </strong>
            <Delta a={pair.a.duration} b={pair.b.duration} both />
            <span className="dim">
              {count(pair.a.n)} → {count(pair.b.n)} spans · {count(pair.a.errors)} → {count(pair.b.errors)} errors · {count(all.filter((m) => m.state === "added").length)} added, {count(all.filter((m) => m.state === "removed").length)} removed
            </span>
            <span className="grow" />
            {mode !== "attributes" && mode !== "graph" && (
              <>
                <button type="button" aria-pressed={only === "structure"} onClick={() => setParams({ only: only === "structure" ? null : "structure" })}>
                  Only changed structure
                </button>
                <button type="button" aria-pressed={only === "time"} onClick={() => setParams({ only: only === "time" ? null : "time" })}>
                  Only changed durations
                </button>
              </>
            )}
            <button type="button" aria-pressed={fold} onClick={() => setParams({ fold: fold ? "none" : "hops" })}>
              Fold hops
            </button>
            {sort && mode === "tree" && (
              <button type="button" onClick={() => setParams({ sort: null })}>
                As a tree
              </button>
            )}
            <Tabs label="View" tabs={modes} value={mode} onChange={(m) => setParams({ mode: m === "tree" ? null : m })} />
          </div>
          <div className="fill">
            {mode === "tree" && <Table label="Spans of both traces" columns={columns} rows={sort ? sorted(rows, columns, sort) : rows} id={(m) => m.key} sort={sort} onSort={(s) => setParams({ sort: s })} height={30} onOpen={(m) => openSpan(m, pair)} />}
            {mode === "timeline" && <Timelines pair={pair} rows={rows} />}
            {mode === "graph" && <Graph rows={all} />}
            {mode === "attributes" && <Attributes pair={pair} rows={all} />}
          </div>
        </>
      ) : (
        !a.error && !b.error && (left && right ? <p className="loading">Loading…</p> : (left ? a.trace : right ? b.trace : true) && <Candidates beside={a.trace ?? b.trace} cohort={cohort.filter((c) => c !== left && c !== right)} onPick={(id) => (left ? to(left, id) : to(id, right))} />)
      )}
    </div>
  );
}

interface State { trace: Skeleton | null; error: ApiError | null }

function useTrace(id: string): State {
  const [state, set] = useState<State>({ trace: null, error: null });
  useEffect(() => {
    let gone = false;
    set({ trace: null, error: null });
    if (id) stored.load(id, []).then((l) => !gone && set({ trace: l.trace, error: null }), (e: Error) => !gone && set({ trace: null, error: e instanceof ApiError ? e : new ApiError(0, e.message) }));
    return () => void (gone = true);
  }, [id]);
  return state;
}

function Picker({ label, id, other, state, onPick }: { label: string; id: string; other: string[]; state: State; onPick: (id: string) => void }) {
  const [text, setText] = useState(id);
  useLayoutEffect(() => setText(id), [id]);
  const t = state.trace;
  return (
    <form
      className="picker"
      onSubmit={(e) => {
        e.preventDefault();
        const found = findTraceID(text);
        if (found) onPick(found);
      }}
    >
      <label>
        <b>{label}</b> <input value={text} list={`cohort-${label}`} placeholder="trace id" aria-label={`Trace ${label}`} spellCheck={false} onChange={(e) => {
          setText(e.target.value);
          if (other.includes(e.target.value)) onPick(e.target.value);
        }} />
      </label>
      <datalist id={`cohort-${label}`}>
        {other.map((c) => (
          <option key={c} value={c} />
        ))}
      </datalist>
      {t && (
        <span className="dim">
          <Link to={`trace/${t.id}`}>{t.services[t.service[0]!]!.split(".")[0]!.slice(0, 40)}</Link> <Time at={t.start} />
        </span>
      )}
    </form>
  );
}
