// Services: rate, errors and durations from the stored spans, and one service's
// operations, revisions and course.
import { useEffect, useMemo } from "react";
import { type Scan, useJson } from "./api";
import { ago, clock, count, duration, percent, rate } from "./format";
import { Canvas, Card, type Column, ErrorShare, Flags, Icon, Link, Service, sorted, Spark, Table, Time, Trouble } from "./kit";
import { useZone } from "./prefs";
import { shortOperation } from "./mesh";
import { RangePicker, useRange } from "./range";
import { setParams, usePlace } from "./router";
import { token } from "./theme-colors";

interface Series { requests: number[]; errors: number[]; p50: (number | null)[]; p95: (number | null)[]; p99: (number | null)[] }
interface Measured { requests: number; errors: number; p50: number; p95: number; p99: number; max: number; series: Series }
interface ServiceRow extends Measured {
  service: string; namespace?: string; basis: string; spans: number; first: number; last: number;
  revisions?: { revision: string; requests: number; errors: number; p50: number; p95: number }[]; flags?: Record<string, number>;
}
interface OperationRow extends Measured { operation: string; kind: string }
interface Answer { from: number; step: number; buckets: number; services: ServiceRow[]; operations?: OperationRow[]; more?: number; scan: Scan }

const per = (key: "p50" | "p95" | "p99" | "max"): Column<Measured> => ({ key, label: key === "max" ? "Max" : key, width: "84px", right: true, by: (s) => s[key] ?? 0, cell: (s) => duration(s[key]), spare: { p50: 2, p95: 0, p99: 3, max: 3 }[key] });

export default function Services() {
  const { query } = usePlace();
  const range = useRange();
  const service = query.get("service") ?? "";
  const kind = query.get("spanKind") ?? "";
  const { data, error, loading, reload } = useJson<Answer>(`services?${range.query}&buckets=40${service ? "&service=" + encodeURIComponent(service) : ""}`, 10_000);
  useEffect(() => void (document.title = `${service || "Services"} – Spandrel`), [service]);
  return (
    <div className="page-col">
      <div className="page-head">
        {service && (
          <Link to={`monitor?${range.search}`} className="quiet" title="All services">
            <Icon name="left" label="All services" />
          </Link>
        )}
        <h1>{service ? <Service name={service} /> : "Services"}</h1>
        <RangePicker range={range} />
        {service && (
          <>
            <Link className="button" to={`search?service=${encodeURIComponent(service)}&${range.search}`}>Traces</Link>
            <Link className="button" to={`search?service=${encodeURIComponent(service)}&errors=span&${range.search}`}>Errors</Link>
          </>
        )}
        <ScanNote scan={data?.scan} />
      </div>
      {error && <Trouble error={error} retry={reload} />}
      {!data ? loading && <p className="loading">Loading…</p> : service ? <One data={data} range={range.search} kind={kind} /> : <All data={data} range={range.search} />}
    </div>
  );
}

export function ScanNote({ scan }: { scan?: Scan }) {
  if (!scan) return null;
  if (scan.complete) return <span className="dim">from {count(scan.spans)} spans</span>;
  return (
    <span className="chip warn">
      only the newest {count(scan.spans)} spans, since <Time at={scan.from} fraction={0} />
    </span>
  );
}

function All({ data, range }: { data: Answer; range: string }) {
  const { query } = usePlace();
  const sort = query.get("sort") ?? "-requests";
  const span = data.step * data.buckets;
  const busiest = data.services.reduce((m, s) => Math.max(m, s.requests * (s.p95 || 0)), 1);
  const columns: Column<ServiceRow>[] = [
    { key: "service", label: "Service", width: "minmax(130px, 2fr)", by: (s) => s.service, cell: (s) => <Link to={`monitor?service=${encodeURIComponent(s.service)}&${range}`}><Service name={s.service.slice(0, 120)} /></Link> },
    { key: "requests", label: "Requests", width: "84px", right: true, by: (s) => s.requests, cell: (s) => <span title={{ server: "server and consumer spans", root: "spans without a parent", all: "all spans" }[s.basis]}>{count(s.requests)}</span>, spare: 1 },
    { key: "rate", label: "Rate", width: "74px", right: true, by: (s) => s.requests, cell: (s) => rate(s.requests, span), spare: 3 },
    { key: "errors", label: "Errors", width: "84px", right: true, by: (s) => s.errors / (s.requests || 1), cell: (s) => <ErrorShare part={s.errors} all={s.requests} /> },
    per("p50") as Column<ServiceRow>, per("p95") as Column<ServiceRow>, per("p99") as Column<ServiceRow>,
    { key: "trend", label: "Requests over time", width: "128px", cell: (s) => <Spark values={s.series.requests} label={`Requests of ${s.service} over time`} />, spare: 3 },
    { key: "impact", label: "Impact", title: "Requests times p95", width: "minmax(60px, 1fr)", by: (s) => s.requests * (s.p95 || 0), cell: (s) => <span className="bar-cell"><span className="bar" style={{ width: `${Math.max(1, (100 * s.requests * (s.p95 || 0)) / busiest)}%` }} /><span /></span>, spare: 3 },
    { key: "revisions", label: "Revisions", width: "minmax(80px, 1fr)", by: (s) => s.revisions?.length ?? 0, cell: (s) => <span className="clip dim">{(s.revisions ?? []).map((r) => r.revision).slice(0, 6).join(", ")}</span>, spare: 3 },
    { key: "flags", label: "Flags", width: "110px", by: (s) => Object.values(s.flags ?? {}).reduce((a, b) => a + b, 0), cell: (s) => Object.entries(s.flags ?? {}).sort((a, b) => b[1] - a[1]).slice(0, 2).map(([f]) => <Flags key={f} text={f} />), spare: 3 },
    { key: "last", label: "Last seen", width: "92px", right: true, by: (s) => s.last, cell: (s) => <span className="dim">{ago(s.last, Date.now() * 1000)}</span>, spare: 3 },
  ];
  if (!data.services.length) return <NoSpans />;
  return (
    <div className="fill">
      <Table label="Services" columns={columns} rows={sorted(data.services, columns, sort)} id={(s) => s.service} sort={sort} onSort={(s) => setParams({ sort: s })} onOpen={(s) => setParams({ service: s.service, sort: null }, true)} height={36} />
    </div>
  );
}

export const NoSpans = () => (
  <div className="nothing">
    <h2>No spans in this range</h2>
    <p>
      Choose a longer one, or see on the <Link to="status">status page</Link> whether anything arrives.
    </p>
  </div>
);

function One({ data, range, kind }: { data: Answer; range: string; kind: string }) {
  const s = data.services[0];
  const zone = useZone();
  const { query } = usePlace();
  const sort = query.get("sort") ?? "-requests";
  const operations = useMemo(() => (data.operations ?? []).filter((o) => !kind || o.kind === kind), [data, kind]);
  if (!s) return <NoSpans />;
  const columns: Column<OperationRow>[] = [
    { key: "operation", label: "Operation", width: "minmax(96px, 3fr)", by: (o) => o.operation, cell: (o) => <Link to={`search?${new URLSearchParams({ service: s.service, operation: o.operation })}&${range}`} title={o.operation}><bdi>{shortOperation(o.operation).slice(0, 200)}</bdi></Link> },
    { key: "kind", label: "Kind", width: "76px", by: (o) => o.kind, cell: (o) => <span className="dim">{o.kind}</span>, spare: 3 },
    { key: "requests", label: "Requests", width: "84px", right: true, by: (o) => o.requests, cell: (o) => count(o.requests), spare: 1 },
    { key: "errors", label: "Errors", width: "84px", right: true, by: (o) => o.errors / (o.requests || 1), cell: (o) => <ErrorShare part={o.errors} all={o.requests} /> },
    per("p50") as Column<OperationRow>, per("p95") as Column<OperationRow>, per("p99") as Column<OperationRow>, per("max") as Column<OperationRow>,
    { key: "trend", label: "p95 over time", width: "100px", cell: (o) => <Spark values={o.series?.p95 ?? []} label="p95 over time" />, spare: 3 },
  ];
  const times = { from: data.from, step: data.step, zone };
  return (
    <div className="page" tabIndex={0} role="region" aria-label={s.service}>
      <div className="figures">
        <Fig v={count(s.requests)} l={{ server: "requests (server spans)", root: "requests (root spans)", all: "spans" }[s.basis] ?? "requests"} />
        <Fig v={rate(s.requests, data.step * data.buckets)} l="rate" />
        <Fig v={percent(s.errors, s.requests)} l="errors" bad={s.errors > 0} />
        <Fig v={duration(s.p50)} l="p50" />
        <Fig v={duration(s.p95)} l="p95" />
        <Fig v={duration(s.p99)} l="p99" />
      </div>
      <div className="cards">
        <Card>
          <h2>Requests and errors</h2>
          <Lines {...times} unit={count} lines={[{ name: "requests", color: "--accent", values: s.series.requests }, { name: "errors", color: "--error", values: s.series.errors, dashed: true }]} />
        </Card>
        <Card>
          <h2>Duration</h2>
          <Lines {...times} unit={duration} lines={[{ name: "p50", color: "--ok", values: s.series.p50 }, { name: "p95", color: "--accent", values: s.series.p95 }, { name: "p99", color: "--warn", values: s.series.p99, dashed: true }]} />
        </Card>
        {s.revisions?.length ? (
          <Card>
            <h2>Revisions</h2>
            <table className="plain">
              <thead>
                <tr>
                  <th>Revision</th>
                  <th className="right">Share</th>
                  <th className="right">Errors</th>
                  <th className="right">p50</th>
                  <th className="right">p95</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                {s.revisions.map((r) => (
                  <tr key={r.revision}>
                    <td>
                      <bdi>{r.revision.slice(0, 60)}</bdi>
                    </td>
                    <td className="right">{percent(r.requests, s.requests)}</td>
                    <td className="right">
                      <ErrorShare part={r.errors} all={r.requests} />
                    </td>
                    <td className="right">{duration(r.p50)}</td>
                    <td className="right">{duration(r.p95)}</td>
                    <td className="right">
                      <Link to={`search?service=${encodeURIComponent(s.service)}&tags=${encodeURIComponent(JSON.stringify({ "istio.canonical_revision": r.revision }))}&${range}`}>Traces</Link>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Card>
        ) : null}
        <Card wide>
          <h2>Operations</h2>
          <div style={{ height: Math.min(600, operations.length * 34 + 34) }}>
            <Table label="Operations" columns={columns} rows={sorted(operations, columns, sort)} id={(o) => o.kind + o.operation} sort={sort} onSort={(x) => setParams({ sort: x })} height={34} />
          </div>
        </Card>
      </div>
    </div>
  );
}

const Fig = ({ v, l, bad }: { v: string; l: string; bad?: boolean }) => (
  <div className="figure">
    <b className={bad ? "bad" : ""}>{v}</b>
    <span>{l}</span>
  </div>
);

interface Line { name: string; color: string; values: (number | null)[]; dashed?: boolean }

/** Lines over time; a gap where there is no value. */
function Lines({ lines, from, step, unit, zone }: { lines: Line[]; from: number; step: number; unit: (n: number) => string; zone: "utc" | "local" }) {
  const max = lines.reduce((m, l) => l.values.reduce<number>((a, v) => Math.max(a, v ?? 0), m), 0) || 1;
  const n = lines[0]?.values.length ?? 0;
  return (
    <>
      <div className="lines">
        <Canvas
          className="plot"
          label={lines.map((l) => `${l.name} up to ${unit(l.values.reduce<number>((a, v) => Math.max(a, v ?? 0), 0))}`).join(", ")}
          deps={[lines, zone]}
          draw={(g, w, h) => {
            const left = 54, low = h - 18, high = 8;
            const X = (i: number) => left + ((i + 0.5) / n) * (w - left - 6), Y = (v: number) => low - (v / max) * (low - high);
            g.font = `11px ${getComputedStyle(document.body).fontFamily}`;
            g.fillStyle = token("--dim");
            g.strokeStyle = token("--line");
            g.textAlign = "right";
            g.textBaseline = "middle";
            for (const f of [0, 0.5, 1]) {
              g.fillText(unit(max * f), left - 6, Y(max * f));
              g.beginPath();
              g.moveTo(left, Math.round(Y(max * f)) + 0.5);
              g.lineTo(w, Math.round(Y(max * f)) + 0.5);
              g.stroke();
            }
            g.textAlign = "left";
            g.fillText(clock(from, zone, 0), left, h - 6);
            g.textAlign = "right";
            g.fillText(clock(from + n * step, zone, 0), w - 4, h - 6);
            for (const l of lines) {
              g.strokeStyle = g.fillStyle = token(l.color);
              g.lineWidth = 1.8;
              g.setLineDash(l.dashed ? [5, 3] : []);
              g.beginPath();
              let pen = false;
              l.values.forEach((v, i) => {
                if (v === null) return void (pen = false);
                pen ? g.lineTo(X(i), Y(v)) : g.moveTo(X(i), Y(v));
                pen = true;
              });
              g.stroke();
              g.setLineDash([]);
              l.values.forEach((v, i) => {
                if (v === null || l.values[i - 1] != null || l.values[i + 1] != null) return;
                g.fillRect(X(i) - 1.5, Y(v) - 1.5, 3, 3); // alone between gaps
              });
            }
          }}
        />
      </div>
      <p className="legend">
        {lines.map((l) => (
          <span key={l.name}>
            <i style={{ borderTop: `2px ${l.dashed ? "dashed" : "solid"} var(${l.color})` }} /> {l.name}
          </span>
        ))}
      </p>
    </>
  );
}
