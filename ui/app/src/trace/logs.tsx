// All events of the trace in order of time: Zipkin's annotations, Jaeger's logs,
// OTLP's events. Those of spans that the search leaves out are left out.
import { useMemo } from "react";
import { type Tag, useAnswer } from "../api";
import { duration, exact, plural } from "../format";
import { type Column, Icon, Service, sorted, Table, Trouble } from "../kit";
import { setParams, usePlace } from "../router";
import type { TraceModel } from "./model";
import { rowText } from "./names";
import { ERROR } from "./skeleton";
import type { TraceEvent, TraceEvents } from "./source";

const fieldsText = (fields: Tag[] | undefined) => (fields ?? []).slice(0, 20).map((f) => `${f.key}=${typeof f.value === "string" ? f.value.slice(0, 200) : JSON.stringify(f.value)}`).join("  ");

/** With these Envoy marks that an answer went out and came in: each call has them. */
const isMark = (e: TraceEvent) => e.name === "cr" || e.name === "ss";

export default function Logs({ model, version }: { model: TraceModel; version: number }) {
  const { query } = usePlace();
  const { t } = model;
  const sort = query.get("logsort") ?? "time";
  const marks = query.get("marks") !== "0";
  const { data, error, loading, reload } = useAnswer<TraceEvents>(`${t.id} ${model.etag}`, (signal) => model.source.events(t.id, signal));
  const time = (e: TraceEvent) => e.at + (model.adjusted && t.shift ? t.shift[e.row]! : 0);
  const columns: Column<TraceEvent>[] = [
    { key: "time", label: "Time", width: "96px", right: true, by: time, cell: (e) => "+" + duration(time(e)) },
    { key: "service", label: "Service", width: "minmax(110px, 1fr)", by: (e) => t.services[t.service[e.row]!]!, cell: (e) => <span className="trace-name"><i className="swatch" style={{ background: model.colors[t.service[e.row]!] }} /><Service name={t.services[t.service[e.row]!]!.slice(0, 100)} /></span> },
    { key: "span", label: "Span", width: "minmax(120px, 1.4fr)", by: (e) => rowText(t, e.row).what, cell: (e) => <span className="trace-name">{t.flags[e.row]! & ERROR ? <span className="bad"><Icon name="error" label="of a span that failed" /></span> : null}<bdi className="dim">{rowText(t, e.row).what.slice(0, 200)}</bdi></span>, spare: 3 },
    { key: "name", label: "Event", width: "minmax(120px, 2fr)", by: (e) => e.name, cell: (e) => <bdi title={e.name.slice(0, 2000)}>{e.name.slice(0, 300)}</bdi> },
    { key: "fields", label: "Fields", width: "minmax(100px, 2fr)", by: (e) => fieldsText(e.fields), cell: (e) => <bdi className="dim" title={fieldsText(e.fields)}>{fieldsText(e.fields).slice(0, 400)}</bdi>, spare: 3 },
  ];
  const rows = useMemo(() => {
    const all = model.eventsOf(data?.events ?? []).filter((e) => e.row < t.n && (marks || !isMark(e)) && (!model.filter.q || !model.foundBits || model.foundBits[e.row]) && (!model.filter.errors || t.flags[e.row]! & ERROR));
    return sorted(all, columns, sort);
  }, [data, t, sort, marks, model.foundBits, model.filter.q, model.filter.errors, model.adjusted, version]);
  const ids = useMemo(() => new Map(rows.map((e, i) => [e, String(i)])), [rows]);
  if (error) return <Trouble error={error} retry={reload} />;
  if (!data) return <p className="loading">{loading ? "Loading the events…" : ""}</p>;
  return (
    <div className="panel-fill">
      <div className="filter-bar">
        <strong aria-live="polite">{plural(rows.length, "event")}</strong>
        {data.count > data.events.length && <span className="chip warn">the first {exact(data.events.length)} of {exact(data.count)}</span>}
        {data.events.some(isMark) && (
          <button type="button" aria-pressed={!marks} title="Leave out the marks that Envoy makes in every call: answer sent (ss), answer received (cr)" onClick={() => setParams({ marks: marks ? "0" : null })}>
            Without cr, ss
          </button>
        )}
        {!data.count && <span className="dim">No span of this trace has annotations or events.</span>}
      </div>
      <div className="fill">
        <Table label="Events" columns={columns} rows={rows} id={(e) => ids.get(e)!} sort={sort} onSort={(s) => setParams({ logsort: s === "time" ? null : s })} onOpen={(e) => model.select(e.row)} selected={(e) => e.row === model.selected} height={28} />
      </div>
    </div>
  );
}
