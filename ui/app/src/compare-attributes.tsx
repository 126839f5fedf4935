// Tags that differ between spans of two traces that match.
import { useMemo } from "react";
import { type SpanDetail, useAnswer } from "./api";
import { differences, type Difference } from "./compare-tags";
import type { Merged } from "./compare-merge";
import { Name, type Pair } from "./compare-parts";
import { count, plural } from "./format";
import { type Column, sorted, Table, Trouble } from "./kit";
import { setParams, usePlace } from "./router";
import { stored } from "./trace/load";
import { serverOf } from "./trace/names";
import { hex, type Skeleton } from "./trace/skeleton";

const most = 100; // pairs of spans whose tags are asked for, two halves each

interface Found extends Difference { of: Merged; kind: string; key: string }

export default function Attributes({ pair, rows }: { pair: Pair; rows: Merged[] }) {
  const { query } = usePlace();
  const sort = query.get("tagsort") ?? "", all = query.get("ids") === "1";
  const matched = useMemo(() => rows.filter((m) => m.a.count && m.b.count), [rows]);
  const looked = matched.slice(0, most);
  const ids = (t: Skeleton, side: "a" | "b") => [...new Set(looked.flatMap((m) => halves(t, m[side].row)).map((r) => hex(t.ids[r]!)))];
  const asked = useMemo(() => ({ a: ids(pair.a, "a"), b: ids(pair.b, "b") }), [matched]);
  const { data, error, reload } = useAnswer<{ a: SpanDetail[]; b: SpanDetail[] }>(`${pair.a.id} ${asked.a} ${pair.b.id} ${asked.b}`, async (signal) => {
    const [a, b] = await Promise.all((["a", "b"] as const).map((s) => (asked[s].length ? stored.spans(pair[s].id, asked[s], signal) : [])));
    return { a: a!, b: b! };
  });
  const found = useMemo(() => {
    if (!data) return [];
    const [a, b] = [data.a, data.b].map((l) => new Map(l.map((s) => [s.view, s])));
    return looked.flatMap((of) => {
      const right = halves(pair.b, of.b.row);
      return halves(pair.a, of.a.row).flatMap((r, i) => {
        const x = a!.get(hex(pair.a.views[r]!)), y = right[i] === undefined ? undefined : b!.get(hex(pair.b.views[right[i]]!));
        return x && y ? differences(x, y).map((d): Found => ({ ...d, of, kind: pair.a.kinds[pair.a.kind[r]!]!, key: `${of.key}\n${i}\n${d.tag}` })) : [];
      });
    }).sort((x, y) => x.rank - y.rank);
  }, [data]);
  const shown = all ? found : found.filter((d) => !d.everyTime);
  const value = (side: "a" | "b"): Column<Found> => ({ key: side, label: side.toUpperCase(), width: "minmax(66px, 2fr)", by: (d) => d[side] ?? "", cell: (d) => (d[side] === undefined ? <span className="dim">not there</span> : <code title={d[side].slice(0, 2000)}><bdi>{d[side].slice(0, 200)}</bdi></code>) });
  const columns: Column<Found>[] = [
    { key: "tag", label: "Tag", width: "minmax(78px, 1fr)", by: (d) => d.tag, cell: (d) => <b title={d.tag}>{d.tag.slice(0, 100)}</b> },
    { key: "name", label: "Span", width: "minmax(84px, 2fr)", by: (d) => d.of.service, cell: (d) => <Name of={d.of} /> },
    { key: "kind", label: "Kind", width: "72px", by: (d) => d.kind, cell: (d) => <span className="dim">{d.kind}</span>, spare: 1 },
    value("a"), value("b"),
  ];
  if (error) return <Trouble error={error} retry={reload} />;
  if (!data) return <p className="loading">Loading…</p>;
  return (
    <div className="panel-fill">
      <div className="filter-bar">
        <strong>{plural(shown.length, "difference")}</strong>
        <span className="dim">
          in the tags of {looked.length < matched.length ? `the first ${count(looked.length)} of ` : ""}
          {plural(matched.length, "span")} that both have
        </span>
        <button type="button" aria-pressed={all} title="Request ids, sizes and the like" onClick={() => setParams({ ids: all ? null : "1" })}>
          What differs each time too
        </button>
      </div>
      <Table label="Tags that differ" columns={columns} rows={sorted(shown, columns, sort)} id={(d) => d.key} sort={sort} onSort={(s) => setParams({ tagsort: s })} height={30} />
    </div>
  );
}

/** A row, and that of the server if it is a call that was answered. */
function halves(t: Skeleton, row: number): number[] {
  const server = serverOf(t, row);
  return server < 0 ? [row] : [row, server];
}
