// Mesh: destinations with retries and timeouts, traffic by revision, services
// that do not pass trace headers on, and the proxies that report.
import { useEffect } from "react";
import { type Scan, useJson } from "./api";
import { count, duration, percent, plural } from "./format";
import { Card, ErrorShare, Flags, Icon, Link, Service, Trouble, UpstreamName } from "./kit";
import { RangePicker, useRange } from "./range";
import { NoSpans, ScanNote } from "./services";

interface Answer {
  destinations: { host: string; service?: string; namespace?: string; calls: number; errors: number; p50: number; p95: number; retries: number; timeouts: number; flags?: Record<string, number>; subsets?: { name: string; calls: number; errors: number; p50: number; p95: number }[] }[];
  revisions: { app: string; namespace?: string; revision: string; requests: number; errors: number; share: number; p50: number; p95: number }[];
  propagation: { service: string; outbound: number; torn: number; sure: number; traces: string[]; upstreams?: string[] }[];
  proxies: { node: string; type: string; pod?: string; namespace?: string; spans: number }[];
  scan: Scan;
}

export default function Mesh() {
  const range = useRange();
  const { data, error, loading, reload } = useJson<Answer>(`mesh?${range.query}`, 15_000);
  useEffect(() => void (document.title = "Mesh – Spandrel"), []);
  const apps = new Map<string, Answer["revisions"]>();
  for (const r of data?.revisions ?? []) {
    const key = `${r.app}.${r.namespace ?? ""}`;
    apps.set(key, [...(apps.get(key) ?? []), r]);
  }
  return (
    <div className="page-col">
      <div className="page-head">
        <h1>Mesh</h1>
        <RangePicker range={range} />
        <ScanNote scan={data?.scan} />
      </div>
      {error && <Trouble error={error} retry={reload} />}
      {!data && loading && <p className="loading">Loading…</p>}
      {data && !data.destinations.length && !data.revisions.length && !data.proxies.length && <NoSpans />}
      {data && (data.destinations.length > 0 || data.revisions.length > 0 || data.proxies.length > 0) && (
        <div className="page" tabIndex={0} role="region" aria-label="Mesh">
          <div className="cards">
            <Card wide>
              <h2>Trace headers</h2>
              {data.propagation.length === 0 ? (
                <p>
                  <Icon name="ok" /> Every service that was seen calling others passes the trace headers on.
                </p>
              ) : (
                data.propagation.map((p) => (
                  <div key={p.service}>
                    <p className="trouble">
                      <Icon name="error" />
                      <span>
                        <strong>
                          <bdi>{p.service}</bdi>
                        </strong>{" "}
                        does not pass trace headers on: {count(p.torn)} of its {plural(p.outbound, "outbound call")} begin a trace of their own{p.sure ? ` (${count(p.sure)} with the same x-request-id as a request it was serving)` : ""}.
                      </span>
                    </p>
                    <p>
                      Its program must copy <code>b3</code> or <code>x-b3-traceid x-b3-spanid x-b3-parentspanid x-b3-sampled</code> (or <code>traceparent</code>) and <code>x-request-id</code> from each request to the calls it makes for it.{" "}
                      {p.upstreams?.length ? <>The torn calls go to {p.upstreams.slice(0, 5).map((u, i) => <span key={u}>{i > 0 && ", "}<UpstreamName text={u} /></span>)}. </> : null}
                      {p.traces.length > 0 && <Link to={`search?${p.traces.slice(0, 50).map((t) => "traceID=" + t).join("&")}`}>Show such traces</Link>}
                    </p>
                  </div>
                ))
              )}
            </Card>
            {apps.size > 0 && (
              <Card wide>
                <h2>Traffic by revision</h2>
                <table className="plain">
                  <thead>
                    <tr>
                      <th>Service</th>
                      <th>Revision</th>
                      <th className="right">Requests</th>
                      <th>Share</th>
                      <th className="right">Errors</th>
                      <th className="right">p50</th>
                      <th className="right">p95</th>
                      <th />
                    </tr>
                  </thead>
                  <tbody>
                    {[...apps.values()].flatMap((rs) =>
                      rs.map((r, i) => (
                        <tr key={`${r.app} ${r.namespace} ${r.revision}`}>
                          <td>{i === 0 && <Service name={`${r.app}.${r.namespace ?? ""}`} />}</td>
                          <td>
                            <bdi>{r.revision.slice(0, 60)}</bdi>
                          </td>
                          <td className="right">{count(r.requests)}</td>
                          <td>
                            <span className="bar-cell">
                              <span className="bar" style={{ width: `${r.share * 100}%` }} />
                              <span>{percent(r.share, 1)}</span>
                            </span>
                          </td>
                          <td className="right">
                            <ErrorShare part={r.errors} all={r.requests} />
                          </td>
                          <td className="right">{duration(r.p50)}</td>
                          <td className="right">{duration(r.p95)}</td>
                          <td className="right">
                            <Link to={`search?${new URLSearchParams({ tags: JSON.stringify({ "istio.canonical_service": r.app, "istio.canonical_revision": r.revision }) })}&${range.search}`}>Traces</Link>
                          </td>
                        </tr>
                      )),
                    )}
                  </tbody>
                </table>
              </Card>
            )}
            {data.destinations.length > 0 && (
              <Card wide>
                <h2>Destinations</h2>
                <table className="plain">
                  <thead>
                    <tr>
                      <th>Host</th>
                      <th className="right">Calls</th>
                      <th className="right">Errors</th>
                      <th className="right">p50</th>
                      <th className="right">p95</th>
                      <th className="right">Retries</th>
                      <th className="right">Timeouts</th>
                      <th>Flags</th>
                      <th>Subsets</th>
                    </tr>
                  </thead>
                  <tbody>
                    {data.destinations.slice(0, 200).map((d) => (
                      <tr key={d.host}>
                        <td title={d.host}>{d.service ? <Service name={`${d.service}.${d.namespace}`} /> : <bdi>{d.host.slice(0, 100)}</bdi>}</td>
                        <td className="right">{count(d.calls)}</td>
                        <td className="right">
                          <ErrorShare part={d.errors} all={d.calls} />
                        </td>
                        <td className="right">{duration(d.p50)}</td>
                        <td className="right">{duration(d.p95)}</td>
                        <td className="right">{d.retries ? count(d.retries) : <span className="dim">0</span>}</td>
                        <td className="right">{d.timeouts ? <span className="bad">{count(d.timeouts)}</span> : <span className="dim">0</span>}</td>
                        <td>
                          {Object.entries(d.flags ?? {}).map(([f, n]) => (
                            <span key={f}>
                              <Flags text={f} /> <span className="dim">{count(n)} </span>
                            </span>
                          ))}
                        </td>
                        <td className="dim">{(d.subsets ?? []).filter((s) => s.name).map((s) => `${s.name} ${percent(s.calls, d.calls)}`).join(", ")}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Card>
            )}
            {data.proxies.length > 0 && (
              <Card wide>
                <h2>Proxies that report</h2>
                <table className="plain">
                  <thead>
                    <tr>
                      <th>Pod</th>
                      <th>Namespace</th>
                      <th>Kind</th>
                      <th className="right">Spans</th>
                    </tr>
                  </thead>
                  <tbody>
                    {data.proxies.slice(0, 100).map((p) => (
                      <tr key={p.node}>
                        <td title={p.node}>{p.pod ?? p.node.slice(0, 100)}</td>
                        <td>{p.namespace}</td>
                        <td className="dim">{p.type === "router" ? "gateway" : p.type}</td>
                        <td className="right">{count(p.spans)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
                {data.proxies.length > 100 && <p className="dim">and {count(data.proxies.length - 100)} more</p>}
              </Card>
            )}
          </div>
        </div>
      )}
    </div>
  );
}
