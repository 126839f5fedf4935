// The map: who calls whom in a range of time, with rates, errors and p95. Also
// what was called and never answered: dead, external or blocked upstreams.
import { useEffect, useMemo } from "react";
import { useJson } from "./api";
import { count, duration, percent, plural, rate } from "./format";
import { type GraphEdge, type GraphNode, GraphView } from "./graph-view";
import { type Column, ErrorShare, Flags, Icon, Link, Service, sorted, Table, Tabs, Trouble } from "./kit";
import { lookbackMicros } from "./explore/state";
import { explainFlags } from "./mesh";
import { RangePicker, useRange } from "./range";
import { setParams, usePlace } from "./router";
import { NoSpans } from "./services";

export interface MapNode { name: string; namespace?: string; app?: string; kind: string; calls: number; errors: number; revisions?: string[] }
export interface MapEdge { from: string; to: string; calls: number; errors: number; timed: number; p50?: number; p95?: number; flags?: Record<string, number>; unanswered?: number }
interface Answer { nodes: MapNode[]; edges: MapEdge[]; sample: { traces: number; complete: boolean } }

/** More nodes than this are grouped by namespace. */
export const crowd = 150;

/** The part of the map within some steps of a node, both ways. */
export function around(nodes: MapNode[], edges: MapEdge[], focus: string, depth: number): Set<string> {
  let seen = new Set([focus]);
  for (let i = 0; i < depth; i++) {
    const next = new Set(seen);
    for (const e of edges) {
      if (seen.has(e.from)) next.add(e.to);
      if (seen.has(e.to)) next.add(e.from);
    }
    if (next.size === seen.size) break;
    seen = next;
  }
  return new Set(nodes.map((n) => n.name).filter((n) => seen.has(n)));
}

/** Nodes and edges by namespace. */
export function byNamespace(nodes: MapNode[], edges: MapEdge[]): { nodes: MapNode[]; edges: MapEdge[] } {
  const of = new Map(nodes.map((n) => [n.name, n.namespace || `(${n.kind})`]));
  const groups = new Map<string, MapNode>();
  for (const n of nodes) {
    const name = of.get(n.name)!;
    const g = groups.get(name) ?? { name, kind: "namespace", calls: 0, errors: 0, revisions: [] };
    g.calls += n.calls;
    g.errors += n.errors;
    g.revisions!.push(n.name);
    groups.set(name, g);
  }
  const merged = new Map<string, MapEdge>();
  for (const e of edges) {
    const from = of.get(e.from) ?? e.from, to = of.get(e.to) ?? e.to;
    const m = merged.get(from + "\n" + to) ?? { from, to, calls: 0, errors: 0, timed: 0, unanswered: 0 };
    m.calls += e.calls;
    m.errors += e.errors;
    m.unanswered! += e.unanswered ?? 0;
    if (e.p95 !== undefined) m.p95 = Math.max(m.p95 ?? 0, e.p95);
    merged.set(from + "\n" + to, m);
  }
  return { nodes: [...groups.values()], edges: [...merged.values()] };
}

/** The query for spans of calls to an upstream, for an address. */
const calling = (name: string) => encodeURIComponent(`upstream_cluster~"${name.replace(/[.*+?^${}()|[\]\\]/g, "\\\\$&")}"`);

export default function ServiceMap() {
  const { query } = usePlace();
  const range = useRange();
  const { data, error, loading, reload } = useJson<Answer>(`map?${range.query}`, 15_000);
  const focus = query.get("focus") ?? "", depth = Math.max(1, Math.min(9, Number(query.get("depth")) || 2));
  const ns = query.get("ns") ?? "", edgeLabel = query.get("edge") ?? "p95", view = query.get("view") === "table" ? "table" : "graph";
  const find = (query.get("uiFind") ?? "").toLowerCase();
  const chosen = query.get("node"), call = query.get("call"); // call: "from to"
  const setCall = (e: { from: string; to: string }) => setParams({ call: `${e.from} ${e.to}`, node: null });
  const setChosen = (node: string | null) => setParams({ node, call: null });
  useEffect(() => void (document.title = "Map – Spandrel"), []);
  const span = lookbackMicros(range.lookback) ?? Number(query.get("end")) - Number(query.get("start"));
  const picked = useMemo(() => {
    if (!data) return { nodes: [], edges: [], grouped: false };
    let nodes = data.nodes, edges = data.edges;
    if (ns) nodes = nodes.filter((n) => n.namespace === ns || edges.some((e) => (e.from === n.name && nodes.find((x) => x.name === e.to)?.namespace === ns) || (e.to === n.name && nodes.find((x) => x.name === e.from)?.namespace === ns)));
    if (focus) {
      const near = around(nodes, edges, focus, depth);
      nodes = nodes.filter((n) => near.has(n.name));
    }
    const names = new Set(nodes.map((n) => n.name));
    edges = edges.filter((e) => names.has(e.from) && names.has(e.to));
    const grouped = query.get("group") === "namespace" || (nodes.length > crowd && query.get("group") !== "service");
    return { ...(grouped ? byNamespace(nodes, edges) : { nodes, edges }), grouped };
  }, [data, ns, focus, depth, query.get("group")]);
  const namespaces = useMemo(() => [...new Set((data?.nodes ?? []).map((n) => n.namespace).filter(Boolean) as string[])].sort(), [data]);
  const text = (e: MapEdge) => (edgeLabel === "rps" ? rate(e.calls, span) : edgeLabel === "err" ? percent(e.errors, e.calls) : e.p95 !== undefined && e.p95 > 0 ? duration(e.p95) : count(e.calls));
  const kinds: Record<string, string> = { gateway: "gateway", dead: "dead: nobody answered", silent: "silent: answers, sends no spans", external: "external", passthrough: "passthrough", blackhole: "blocked (black hole)", namespace: "namespace" };
  const made = new Map<string, number>();
  for (const e of picked.edges) made.set(e.from, (made.get(e.from) ?? 0) + e.calls);
  const graphNodes: GraphNode[] = picked.nodes.map((n) => ({
    id: n.name, title: n.app && n.kind !== "external" ? n.app : n.name.split(".")[0]!, sub: [n.namespace && n.namespace !== "default" ? n.namespace : "", kinds[n.kind] ?? ""].filter(Boolean).join(" · "),
    lines: [picked.grouped ? `${n.revisions?.length} services` : !n.calls && made.get(n.name) ? `makes ${plural(made.get(n.name)!, "call")}` : `${plural(n.calls, "call")}${n.errors ? `, ${percent(n.errors, n.calls)} errors` : ""}`, picked.grouped ? "" : (n.revisions ?? []).slice(0, 4).join(" ")].filter(Boolean),
    bad: n.errors > 0, kind: n.kind, selected: n.name === chosen || (!!find && n.name.toLowerCase().includes(find)),
  }));
  const graphEdges: GraphEdge[] = picked.edges.map((e) => ({
    from: e.from, to: e.to, weight: e.calls, bad: e.errors > 0, dashed: !!e.unanswered && e.unanswered >= e.timed && e.timed > 0, label: text(e),
    title: `${e.from} → ${e.to}\n${count(e.calls)} calls, ${percent(e.errors, e.calls)} errors${e.p95 ? `, p95 ${duration(e.p95)}` : ""}`,
  }));
  const columns: Column<MapEdge>[] = [
    { key: "from", label: "From", width: "minmax(110px, 1fr)", by: (e) => e.from, cell: (e) => <Service name={e.from.slice(0, 120)} /> },
    { key: "to", label: "To", width: "minmax(110px, 1fr)", by: (e) => e.to, cell: (e) => <Service name={e.to.slice(0, 120)} /> },
    { key: "calls", label: "Calls", width: "76px", right: true, by: (e) => e.calls, cell: (e) => count(e.calls), spare: 2 },
    { key: "rate", label: "Rate", width: "76px", right: true, by: (e) => e.calls, cell: (e) => rate(e.calls, span), spare: 3 },
    { key: "errors", label: "Errors", width: "84px", right: true, by: (e) => e.errors / (e.calls || 1), cell: (e) => <ErrorShare part={e.errors} all={e.calls} /> },
    { key: "p50", label: "p50", width: "84px", right: true, by: (e) => e.p50 ?? 0, cell: (e) => (e.p50 ? duration(e.p50) : "–"), spare: 3 },
    { key: "p95", label: "p95", width: "84px", right: true, by: (e) => e.p95 ?? 0, cell: (e) => (e.p95 ? duration(e.p95) : "–"), spare: 1 },
    { key: "flags", label: "Flags", width: "120px", cell: (e) => Object.keys(e.flags ?? {}).slice(0, 3).map((f) => <Flags key={f} text={f} />), spare: 3 },
  ];
  const node = data?.nodes.find((n) => n.name === chosen);
  const edge = data?.edges.find((e) => `${e.from} ${e.to}` === call);
  return (
    <div className="page-col">
      <div className="page-head">
        <h1>Map</h1>
        <RangePicker range={range} />
        <select aria-label="Namespace" value={ns} onChange={(e) => setParams({ ns: e.target.value })}>
          <option value="">All namespaces</option>
          {namespaces.map((n) => (
            <option key={n}>{n}</option>
          ))}
        </select>
        <select aria-label="Focus" value={focus} onChange={(e) => setParams({ focus: e.target.value })}>
          <option value="">No focus</option>
          {(data?.nodes ?? []).map((n) => n.name).sort().map((n) => (
            <option key={n} value={n}>
              {n.slice(0, 80)}
            </option>
          ))}
        </select>
        {focus && (
          <select aria-label="Steps around the focus" value={depth} onChange={(e) => setParams({ depth: e.target.value })}>
            {[1, 2, 3, 4, 5].map((d) => (
              <option key={d} value={d}>
                {d} {d === 1 ? "step" : "steps"}
              </option>
            ))}
          </select>
        )}
        <select aria-label="Labels of calls" value={edgeLabel} onChange={(e) => setParams({ edge: e.target.value === "p95" ? null : e.target.value })}>
          <option value="p95">p95</option>
          <option value="rps">Rate</option>
          <option value="err">Errors</option>
        </select>
        <select aria-label="Boxes" value={picked.grouped ? "namespace" : "service"} onChange={(e) => setParams({ group: e.target.value })}>
          <option value="service">By service</option>
          <option value="namespace">By namespace</option>
        </select>
        <input type="search" aria-label="Find a service" placeholder="Find" value={query.get("uiFind") ?? ""} onChange={(e) => setParams({ uiFind: e.target.value })} />
        <Tabs label="View" value={view} onChange={(v) => setParams({ view: v === "table" ? "table" : null })} tabs={[["graph", "Graph"], ["table", "Table"]]} />
        {data && !data.sample.complete && <span className="dim">durations from {count(data.sample.traces)} traces</span>}
      </div>
      {error && <Trouble error={error} retry={reload} />}
      {!data && loading && <p className="loading">Loading…</p>}
      {data && !data.nodes.length && <NoSpans />}
      {data && data.nodes.length > 0 && (
        <div className={node || edge ? "map-body with-detail" : "map-body"}>
          <div>
            {view === "graph" ? (
              <GraphView label="Map of services; the table has the same" nodes={graphNodes} edges={graphEdges} onNode={(n) => (picked.grouped && data.nodes.every((x) => x.name !== n.id) ? setParams({ ns: n.id, group: "service" }, true) : setChosen(n.id))} onEdge={setCall} />
            ) : (
              <Table label="Calls between services" columns={columns} rows={sorted(picked.edges, columns, query.get("sort") ?? "-calls")} id={(e) => e.from + "\n" + e.to} sort={query.get("sort") ?? "-calls"} onSort={(s) => setParams({ sort: s })} />
            )}
          </div>
          {node && (
            <aside className="detail" aria-label="Service">
              <div className="detail-head">
                <h2>
                  <Service name={node.name.slice(0, 120)} />
                </h2>
                <button type="button" className="quiet" aria-label="Close" onClick={() => setChosen(null)}>
                  <Icon name="close" />
                </button>
              </div>
              <p className="dim">
                {kinds[node.kind] ?? "service"} {node.namespace && `in ${node.namespace}`} {node.revisions?.length ? `· revisions ${node.revisions.join(", ")}` : ""}
              </p>
              <p>
                {count(node.calls)} calls, <ErrorShare part={node.errors} all={node.calls} /> errors
              </p>
              <div className="row-of-buttons">
                {["service", "gateway"].includes(node.kind) ? (
                  <>
                    <Link className="button" to={`search?service=${encodeURIComponent(node.name)}&${range.search}`}>Traces</Link>
                    <Link className="button" to={`search?service=${encodeURIComponent(node.name)}&errors=span&${range.search}`}>Errors</Link>
                    <Link className="button" to={`monitor?service=${encodeURIComponent(node.name)}&${range.search}`}>Details</Link>
                  </>
                ) : (
                  <Link className="button" to={`search?q=${calling(node.name)}&${range.search}`}>Traces</Link>
                )}
                <button type="button" onClick={() => setParams({ focus: node.name }, true)}>
                  Focus
                </button>
              </div>
              {(["in", "out"] as const).map((dir) => {
                const mine = data.edges.filter((e) => (dir === "in" ? e.to : e.from) === node.name).sort((a, b) => b.calls - a.calls);
                return mine.length ? (
                  <div key={dir}>
                    <h3>{dir === "in" ? "Called by" : "Calls"}</h3>
                    <table className="plain">
                      <tbody>
                        {mine.slice(0, 50).map((e) => (
                          <tr key={e.from + e.to}>
                            <td>
                              <button type="button" className="quiet" title="About this call" onClick={() => setCall(e)}>
                                <Service name={(dir === "in" ? e.from : e.to).slice(0, 100)} />
                              </button>
                            </td>
                            <td className="right">{count(e.calls)}</td>
                            <td className="right">
                              <ErrorShare part={e.errors} all={e.calls} />
                            </td>
                            <td className="right">{e.p95 ? duration(e.p95) : "–"}</td>
                          </tr>
                        ))}
                      </tbody>
                    </table>
                  </div>
                ) : null;
              })}
            </aside>
          )}
          {edge && (
            <aside className="detail" aria-label="Call">
              <div className="detail-head">
                <h2>
                  <Service name={edge.from.slice(0, 120)} /> → <Service name={edge.to.slice(0, 120)} />
                </h2>
                <button type="button" className="quiet" aria-label="Close" onClick={() => setChosen(null)}>
                  <Icon name="close" />
                </button>
              </div>
              <p>
                {count(edge.calls)} calls ({rate(edge.calls, span)}), <ErrorShare part={edge.errors} all={edge.calls} /> errors
                {edge.p95 ? `, p50 ${duration(edge.p50 ?? 0)}, p95 ${duration(edge.p95)}` : ""}
              </p>
              {Object.entries(edge.flags ?? {}).map(([f, n]) => (
                <p key={f} className="explain">
                  {count(n)} × {explainFlags(f)}
                </p>
              ))}
              <div className="row-of-buttons">
                {/* the caller's side tells where it went; what no mesh is between has just its service */}
                <Link className="button" to={`search?${edge.to.includes(".") ? `service=${encodeURIComponent(edge.from)}&q=${calling(edge.to)}` : `service=${encodeURIComponent(edge.to)}`}&${range.search}`}>Traces</Link>
                <Link className="button" to={`search?${edge.to.includes(".") ? `service=${encodeURIComponent(edge.from)}&q=${calling(edge.to)}` : `service=${encodeURIComponent(edge.to)}`}&errors=span&${range.search}`}>Errors</Link>
                <button type="button" onClick={() => setChosen(edge.from)}>Caller</button>
                <button type="button" onClick={() => setChosen(edge.to)}>Called</button>
              </div>
            </aside>
          )}
        </div>
      )}
    </div>
  );
}
