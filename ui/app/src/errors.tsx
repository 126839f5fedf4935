// Errors: what failed, grouped by who, what, how; with Envoy's flags explained.
import { useEffect } from "react";
import { type Scan, useJson } from "./api";
import { ago, count, plural } from "./format";
import { Flags, Link, Service, Spark, Status, Trouble, UpstreamName } from "./kit";
import { condition } from "./logfmt";
import { flags, shortOperation, splitFlags } from "./mesh";
import { RangePicker, useRange } from "./range";
import { setParams, usePlace } from "./router";
import { ScanNote } from "./services";

interface Group { service: string; operation: string; kind?: string; status?: string; response?: string; upstream?: string; error?: boolean; spans: number; first: number; last: number; traces: string[]; series: number[] }
interface Answer { groups: Group[]; from: number; step: number; buckets: number; more?: number; scan: Scan }

/** A search that finds the spans of a group. */
export function searchOf(g: Group): string {
  const q = [g.status && condition("http.status_code", "=", g.status), g.response && condition("response_flags", "=", g.response), g.upstream && condition("upstream_cluster", "=", g.upstream), g.kind && condition("span.kind", "=", g.kind)].filter(Boolean).join(" ");
  return new URLSearchParams({ service: g.service, operation: g.operation, ...(q ? { q } : {}), ...(g.error && !q ? { errors: "span" } : {}) }).toString();
}

export default function Errors() {
  const { query } = usePlace();
  const range = useRange();
  const service = query.get("service") ?? "", by = query.get("by") ?? "";
  const { data, error, loading, reload } = useJson<Answer>(`errors?${range.query}${service ? "&service=" + encodeURIComponent(service) : ""}`, 10_000);
  useEffect(() => void (document.title = "Errors – Spandrel"), []);
  const services = [...new Set((data?.groups ?? []).map((g) => g.service))].sort();
  const shown = (data?.groups ?? []).filter((g) => !by || (by === "flags" ? splitFlags(g.response).length > 0 : by === "5xx" ? Number(g.status) >= 500 : splitFlags(g.response).includes(by)));
  const seen = new Map<string, number>();
  for (const g of data?.groups ?? []) for (const f of splitFlags(g.response)) seen.set(f, (seen.get(f) ?? 0) + g.spans);
  return (
    <div className="page-col">
      <div className="page-head">
        <h1>Errors</h1>
        <RangePicker range={range} />
        <select aria-label="Service" value={service} onChange={(e) => setParams({ service: e.target.value }, true)}>
          <option value="">All services</option>
          {service && !services.includes(service) && <option>{service}</option>}
          {services.map((s) => (
            <option key={s}>{s}</option>
          ))}
        </select>
        {[...seen].sort((a, b) => b[1] - a[1]).slice(0, 8).map(([f, n]) => (
          <button key={f} type="button" className="small" aria-pressed={by === f} title={flags[f]?.short} onClick={() => setParams({ by: by === f ? null : f })}>
            {f} <span className="dim">{count(n)}</span>
          </button>
        ))}
        <button type="button" className="small" aria-pressed={by === "5xx"} onClick={() => setParams({ by: by === "5xx" ? null : "5xx" })}>
          5xx
        </button>
        <ScanNote scan={data?.scan} />
      </div>
      {error && <Trouble error={error} retry={reload} />}
      {!data && loading && <p className="loading">Loading…</p>}
      {data && !shown.length && (
        <div className="nothing">
          <h2>No errors{by ? " of this kind" : ""}</h2>
          <p className="dim">No span of this range failed or has a response flag.</p>
        </div>
      )}
      <div className="groups" tabIndex={0} role="region" aria-label="Groups of errors">
        {shown.map((g) => (
          <section className="group" key={JSON.stringify([g.service, g.operation, g.kind, g.status, g.response, g.upstream])} aria-label={`${g.service} ${g.operation}`.slice(0, 200)}>
            <div className="who">
              <Status code={g.status} />
              <Flags text={g.response} />
              <strong>
                <Service name={g.service.slice(0, 100)} />
              </strong>
              {g.upstream && g.kind === "client" ? (
                <span>
                  → <UpstreamName text={g.upstream.slice(0, 200)} />
                </span>
              ) : (
                <bdi className="dim" title={g.operation}>
                  {shortOperation(g.operation).slice(0, 160)}
                </bdi>
              )}
              <span className="dim">{g.kind}</span>
            </div>
            <b>{count(g.spans)}</b>
            <Spark values={g.series} color="--error" label={`${plural(g.spans, "span")} over time`} />
            <span className="dim">last {ago(g.last, Date.now() * 1000)}</span>
            <span>
              {g.traces[0] && <Link to={`trace/${g.traces[0]}?only=errors`}>Newest</Link>} · <Link to={`search?${searchOf(g)}&${range.search}`}>All traces</Link>
            </span>
            {splitFlags(g.response).map((f) => (
              <p key={f}>
                <b>{f}</b> {flags[f] ? `${flags[f].short}. ${flags[f].hint}` : ""}
              </p>
            ))}
          </section>
        ))}
      </div>
      {data?.more ? <p className="dim">and {plural(data.more, "more group")}</p> : null}
    </div>
  );
}
