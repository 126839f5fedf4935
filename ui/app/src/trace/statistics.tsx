// Statistics of the trace's spans, grouped by a column or by any tag.
import { useEffect, useMemo, useState } from "react";
import { count, duration } from "../format";
import { type Column, ErrorShare, sorted, Table, Trouble } from "../kit";
import { ApiError, useAnswer } from "../api";
import { setParams, usePlace } from "../router";
import type { TraceModel } from "./model";
import type { Skeleton } from "./skeleton";
import { groupings, keyOf, type Stat, statistics } from "./stats";

const time = (key: keyof Stat & string, label: string, title: string): Column<Stat> => ({ key, label, title, width: "92px", right: true, by: (s) => s[key] as number, cell: (s) => duration(s[key] as number) });

export default function Statistics({ model }: { model: TraceModel }) {
  const { query } = usePlace();
  const by = query.get("group") || "service";
  const kind = query.get("kind") ?? "";
  const sort = query.get("statsort") ?? "-self";
  const then = query.get("then") ?? ""; // groups are divided by this too
  const known = (g: string) => (groupings as readonly string[]).includes(g);
  const tags = [by, then].filter((g) => g && !known(g)), wanted = JSON.stringify(tags);
  const [tagged, setTagged] = useState<{ tags: string; t: Skeleton } | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const keys = useAnswer(model.t.id, (signal) => model.source.keys(model.all, "", signal));
  useEffect(() => {
    setError(null);
    if (!tags.length) return;
    const abort = new AbortController();
    model.source.load(model.t.id, tags, abort.signal).then((l) => setTagged({ tags: wanted, t: l.trace }), (e: Error) => !abort.signal.aborted && setError(e instanceof ApiError ? e : new ApiError(0, e.message)));
    return () => abort.abort();
  }, [wanted, model.all]);
  const t = !tags.length ? model.t : tagged?.tags === wanted ? model.part(tagged.t) : null;
  const rows = useMemo(() => {
    if (!t) return [];
    const k = kind ? t.kinds.indexOf(kind) : -1;
    const key = (g: string) => keyOf(t, known(g) ? g : `tag:${g}`);
    const first = key(by), second = then ? key(then) : null;
    return statistics(t, second ? (r) => `${first(r)} · ${second(r)}` : first, k < 0 ? undefined : (r) => t.kind[r] === k);
  }, [t, by, then, kind]);
  const most = rows.reduce((m, s) => Math.max(m, s.self), 1);
  const columns: Column<Stat>[] = [
    { key: "key", label: then ? `${by} · ${then}` : by, width: "minmax(110px, 2fr)", by: (s) => s.key, cell: (s) => <bdi title={s.key}>{s.key.slice(0, 300)}</bdi> },
    { key: "count", label: "Spans", width: "76px", right: true, by: (s) => s.count, cell: (s) => count(s.count), spare: 1 },
    { key: "errors", label: "Errors", width: "84px", right: true, by: (s) => s.errors / s.count, cell: (s) => <ErrorShare part={s.errors} all={s.count} />, spare: 2 },
    { ...time("p50", "p50", "Half of the spans take no longer"), spare: 2 },
    time("p95", "p95", "95 of 100 spans take no longer"),
    { ...time("avg", "Average", "Mean duration"), spare: 3 },
    { ...time("max", "Max", "Longest"), spare: 3 },
    { ...time("total", "Total", "Sum of durations"), spare: 3 },
    {
      key: "self", label: "Self time", title: "Time in which no child was running", width: "minmax(100px, 1fr)", by: (s) => s.self,
      cell: (s) => (
        <span className="bar-cell">
          <span className="bar" style={{ width: `${(s.self / most) * 100}%` }} />
          <span>{duration(s.self)}</span>
        </span>
      ),
    },
  ];
  return (
    <div className="panel-fill">
      <div className="filter-bar">
        <label>
          Group by{" "}
          <input list="groupings" defaultValue={by} key={by} onBlur={(e) => setParams({ group: e.target.value === "service" ? null : e.target.value })} onKeyDown={(e) => e.key === "Enter" && setParams({ group: e.currentTarget.value })} />
        </label>
        <label>
          then by{" "}
          <input list="groupings" className="short" placeholder="nothing" defaultValue={then} key={"then " + then} onBlur={(e) => setParams({ then: e.target.value.trim() || null })} onKeyDown={(e) => e.key === "Enter" && setParams({ then: e.currentTarget.value.trim() || null })} />
        </label>
        <datalist id="groupings">
          {groupings.map((g) => (
            <option key={g} value={g} />
          ))}
          {keys.data?.map((k) => <option key={k.key} value={k.key} />)}
        </datalist>
        {["service", "revision", "operation", "response", "upstream"].map((g) => (
          <button key={g} type="button" aria-pressed={g === by} onClick={() => setParams({ group: g === "service" ? null : g })}>
            {g === "response" ? "response flag" : g}
          </button>
        ))}
        <label>
          Spans{" "}
          <select value={kind} onChange={(e) => setParams({ kind: e.target.value })}>
            <option value="">of any kind</option>
            {model.t.kinds.filter(Boolean).map((k) => (
              <option key={k}>{k}</option>
            ))}
          </select>
        </label>
        {by === "revision" && <span className="dim">Of server spans the durations are those of the revision itself.</span>}
      </div>
      {error && <Trouble error={error} />}
      <div className="fill">
        <Table label="Statistics" columns={columns} rows={sorted(rows, columns, sort)} id={(s) => s.key} sort={sort} onSort={(s) => setParams({ statsort: s })} onOpen={(s) => model.step(s.rows, 1)} />
      </div>
    </div>
  );
}
