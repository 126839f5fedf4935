// All spans in one table, sortable; it shows those that pass the search.
import { useMemo } from "react";
import { duration } from "../format";
import { type Column, Flags, Icon, Service, sorted, Status, Table } from "../kit";
import { setParams, usePlace } from "../router";
import type { TraceModel } from "./model";
import { rowText } from "./names";
import { selfTimes } from "./stats";
import { ERROR, text } from "./skeleton";

export default function SpanTable({ model, version }: { model: TraceModel; version: number }) {
  const { query } = usePlace();
  const sort = query.get("spansort") ?? "start";
  const { t } = model;
  const self = useMemo(() => selfTimes(t), [t]);
  const columns: Column<number>[] = [
    { key: "error", label: <span className="visually-hidden">Error</span>, width: "26px", by: (r) => t.flags[r]! & ERROR, cell: (r) => (t.flags[r]! & ERROR ? <span className="bad"><Icon name="error" label="error" /></span> : null) },
    { key: "service", label: "Service", width: "minmax(90px, 1fr)", by: (r) => t.services[t.service[r]!]!, cell: (r) => <span className="trace-name"><i className="swatch" style={{ background: model.colors[t.service[r]!] }} /><Service name={t.services[t.service[r]!]!.slice(0, 100)} /></span> },
    { key: "operation", label: "Operation", width: "minmax(100px, 2fr)", by: (r) => rowText(t, r).what, cell: (r) => <bdi title={t.operations[t.operation[r]!]!.slice(0, 1000)}>{rowText(t, r).what.slice(0, 200)}</bdi> },
    { key: "kind", label: "Kind", width: "72px", by: (r) => t.kind[r]!, cell: (r) => <span className="dim">{t.kinds[t.kind[r]!]}</span>, spare: 3 },
    { key: "to", label: "Upstream", width: "minmax(100px, 1fr)", by: (r) => rowText(t, r).to, cell: (r) => <bdi>{rowText(t, r).to.slice(0, 100)}</bdi>, spare: 3 },
    { key: "status", label: "Status", width: "76px", by: (r) => text(t, "status", r), cell: (r) => <Status code={text(t, "status", r) || undefined} />, spare: 1 },
    { key: "flags", label: "Flags", width: "90px", by: (r) => text(t, "response", r), cell: (r) => <Flags text={text(t, "response", r)} />, spare: 3 },
    { key: "start", label: "Start", width: "86px", right: true, by: (r) => model.from(r), cell: (r) => "+" + duration(model.from(r)), spare: 3 },
    { key: "duration", label: "Duration", width: "86px", right: true, by: (r) => t.took[r]!, cell: (r) => duration(t.took[r]!) },
    { key: "self", label: "Self", width: "86px", right: true, by: (r) => self[r]!, cell: (r) => duration(self[r]!), spare: 3 },
  ];
  const rows = useMemo(() => {
    const all = Array.from({ length: t.n }, (_, r) => r).filter((r) => (!model.foundBits || model.foundBits[r]) && (!model.filter.errors || t.flags[r]! & ERROR));
    return sorted(all, columns, sort);
  }, [t, sort, model.foundBits, model.filter.errors, model.adjusted, version]);
  return (
    <div className="panel-fill">
      <Table label="Spans" columns={columns} rows={rows} id={(r) => String(r)} sort={sort} onSort={(s) => setParams({ spansort: s === "start" ? null : s })} onOpen={(r) => model.select(r)} selected={(r) => r === model.selected} height={28} />
    </div>
  );
}
