// What a trace can be compared with: those chosen with it, else the newest like it.
import { type SearchAnswer, type Summary, useJson } from "./api";
import { rootName } from "./explore/facets";
import { count, duration, plural } from "./format";
import { type Column, Icon, Service, sorted, Status, Table, Time, Trouble } from "./kit";
import { setParams, usePlace } from "./router";
import type { Skeleton } from "./trace/skeleton";

export function Candidates({ beside, cohort, onPick }: { beside: Skeleton | null; cohort: string[]; onPick: (id: string) => void }) {
  const { query } = usePlace();
  const sort = query.get("sort") || "-start";
  const like = new URLSearchParams({ limit: "50", lookback: "2d" });
  if (beside) (like.set("service", beside.services[beside.service[0]!]!), like.set("operation", beside.operations[beside.operation[0]!]!));
  const { data, error, reload } = useJson<SearchAnswer>(`search?${cohort.length ? new URLSearchParams(cohort.map((id) => ["traceID", id])) : like}`);
  if (error) return <Trouble error={error} retry={reload} />;
  if (!data) return <p className="loading">Loading…</p>;
  const rows = data.traces.filter((t) => t.id !== beside?.id);
  const columns: Column<Summary>[] = [
    {
      key: "name", label: "Trace", width: "minmax(130px, 2fr)", by: rootName,
      cell: (t) => (
        <span className="trace-name">
          <Icon name={t.errors ? "error" : "ok"} label={t.errors ? "with errors" : "without errors"} />
          <button type="button" className="link" title={t.id} onClick={() => onPick(t.id)}>
            <bdi>{rootName(t).slice(0, 200)}</bdi>
          </button>
          <span className="dim">
            <Service name={t.root.service.slice(0, 100)} />
          </span>
        </span>
      ),
    },
    { key: "status", label: "Status", width: "64px", by: (t) => Number(t.root.status ?? 0), cell: (t) => <Status code={t.root.status} />, spare: 1 },
    { key: "spans", label: "Spans", width: "64px", right: true, by: (t) => t.spans, cell: (t) => count(t.spans), spare: 3 },
    { key: "errors", label: "Errors", width: "64px", right: true, by: (t) => t.errors, cell: (t) => count(t.errors), spare: 2 },
    { key: "duration", label: "Duration", width: "92px", right: true, by: (t) => t.duration, cell: (t) => duration(t.duration) },
    { key: "start", label: "Start", width: "104px", right: true, by: (t) => t.start, cell: (t) => <Time at={t.start} />, spare: 1 },
  ];
  return (
    <>
      <p className="result-bar">
        <strong>Choose {beside ? "the other trace" : "a trace"}</strong>
        <span className="dim">
          {plural(rows.length, "trace")} {cohort.length ? "chosen with it" : beside ? "like it, of the last two days" : "of the last two days"}; any other by its id
        </span>
      </p>
      <div className="fill">
        <Table label="Traces to compare with" columns={columns} rows={sorted(rows, columns, sort)} sort={sort} onSort={(s) => setParams({ sort: s === "-start" ? null : s })} id={(t) => t.id} height={34} onOpen={(t) => onPick(t.id)} />
      </div>
    </>
  );
}
