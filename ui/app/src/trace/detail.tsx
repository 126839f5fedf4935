// Everything about the selected span. A folded hop shows both halves.
import { createContext, useContext, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { type SpanDetail, type Tag, useAnswer, useJson } from "../api";
import { config, elsewhere } from "../config";
import { duration, goDuration } from "../format";
import { Copy, copyText, Flags, Icon, Link, Service, Status, Time, Trouble } from "../kit";
import { condition } from "../logfmt";
import { flags, parseNode, parseUpstream, describeUpstream, splitFlags } from "../mesh";
import { base } from "../router";
import { ancestors, type ExternalLink, type LinkKind, patterns, tagLinks } from "./links";
import type { TraceModel } from "./model";
import { serverOf } from "./names";
import { hex } from "./skeleton";
import { halfWindow, type Standing, standingText } from "./standing";

/** Longer values are cut until asked for. */
const longest = 4096;

/** Whether rows of tags have their tools, which are not seen before the pointer is there: those who pass do without. */
const Tools = createContext(false);

export function Detail({ model, onClose }: { model: TraceModel; onClose: () => void }) {
  const { t, selected } = model;
  const rows = model.halves, { error } = model.details;
  const views = rows.map((r) => hex(t.views[r]!));
  const spans = views.flatMap((v) => model.details.spans.filter((s) => s.view === v));
  const [half, setHalf] = useState(0);
  useLayoutEffect(() => setHalf(0), [selected]);
  const span = spans[Math.min(half, spans.length - 1)];
  const close = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (model.focusDetails) close.current!.focus();
    model.focusDetails = false;
  });
  return (
    <aside className="detail" aria-label="Span">
      <div className="detail-head">
        <h2>
          <i className="swatch" style={{ background: model.colors[t.service[selected]!] }} />
          <Service name={t.services[t.service[selected]!]!.slice(0, 120)} />
        </h2>
        <button ref={close} type="button" className="quiet" aria-label="Close the details" onClick={onClose}>
          <Icon name="close" />
        </button>
      </div>
      {rows.length > 1 && (
        <div className="halves" role="group" aria-label="Halves of the call">
          {rows.map((r, i) => (
            <button key={r} type="button" aria-pressed={i === half} onClick={() => setHalf(i)}>
              {t.kinds[t.kind[r]!]}: {t.services[t.service[r]!]!.split(".")[0]!.slice(0, 40)} · {duration(t.took[r]!)}
            </button>
          ))}
        </div>
      )}
      {error && <Trouble error={error} retry={model.askDetails} />}
      {span && <Span key={span.view} span={span} model={model} row={rows[views.indexOf(span.view)]!} />}
      {!span && !error && <p className="loading">Loading…</p>}
    </aside>
  );
}

function Span({ span: s, model, row }: { span: SpanDetail; model: TraceModel; row: number }) {
  const [find, setFind] = useState("");
  const tags = s.tags ?? [];
  const get = (k: string) => String(tags.find((x) => x.key === k)?.value ?? "");
  const response = get("response_flags");
  const link = new URL(`${base}trace/${model.t.id}?uiFind=${s.view}`, location.href).href;
  const ordered = useMemo(() => order(tags), [s]);
  const shown = ordered.filter((x) => !find || `${x.key}=${String(x.value)}`.toLowerCase().includes(find.toLowerCase()));
  const linked = useLinks(s, model, row);
  const shift = (model.adjusted && model.t.shift?.[row]) || 0;
  const start = s.start - model.t.start + shift;
  const stays = useStays();
  return (
    <WithTools stays={stays}>
      <p className="operation">
        <bdi>{s.operation.slice(0, 2000)}</bdi>
      </p>
      <p className="facts">
        {s.error && (
          <span className="chip status bad">
            <Icon name="error" /> error
          </span>
        )}
        <Status code={get("http.status_code") || get("http.response.status_code") || undefined} />
        <Flags text={response} />
        <strong>{duration(s.duration)}</strong>
        <span>
          from {duration(start)}
          {shift ? ` (adjusted by ${duration(shift)})` : ""}
        </span>
        <span className="dim">{s.kind}</span>
      </p>
      {model.source.path === "trace" && <StandingLine span={s} stays={stays} />}
      {splitFlags(response).map((f) => (
        <p key={f} className="explain">
          <strong>{f}</strong> {flags[f] ? `${flags[f].short}. ${flags[f].hint}` : "is not a flag known here."}
        </p>
      ))}
      {s.statusMessage && <p className="explain">{s.statusMessage.slice(0, 2000)}</p>}
      {s.warnings?.map((w) => (
        <p key={w} className="explain">
          <Icon name="warn" /> {w}
        </p>
      ))}
      <MeshCard span={s} model={model} row={row} get={get} />
      <div className="row-of-buttons">
        {model.source.path === "trace" && (
          <button type="button" onClick={() => void copyText(link)}>
            <Icon name="link" /> Copy link
          </button>
        )}
        {model.selectedShown > 0 && model.t.size[model.selectedShown]! > 1 && (
          <button type="button" title="Show only this span and what is below it, as if it were the trace (r)" onClick={() => model.reroot(model.selectedShown)}>
            <Icon name="down" /> Show as root
          </button>
        )}
        <button type="button" onClick={() => void copyText(JSON.stringify(s, null, 2))}>
          <Icon name="copy" /> Copy JSON
        </button>
        <Link className="button" to={`search?${new URLSearchParams({ service: s.service, operation: s.operation, lookback: "1h", minDuration: goDuration(s.duration * 0.8), maxDuration: goDuration(s.duration * 1.25) })}`}>
          Similar
        </Link>
      </div>
      <h3>
        Tags <span className="dim">{tags.length}</span>
        {tags.length > 8 && <input type="search" value={find} aria-label="Filter tags" placeholder="Filter" onChange={(e) => setFind(e.target.value)} />}
      </h3>
      <TagTable tags={shown} service={s.service} links={(x) => linked("tags", x, tags)} />
      {s.events?.length ? (
        <>
          <h3>
            Events <span className="dim">{s.events.length}</span>
          </h3>
          <ul className="events">
            {s.events.slice(0, 200).map((e, i) => {
              const name = { key: "event", type: "string", value: e.name }; // what Jaeger makes of it
              const fields = [name, ...(e.fields ?? [])];
              return (
                <li key={i}>
                  <span className="dim">+{duration(e.time - s.start)}</span>{" "}
                  <Linked links={linked("logs", name, fields)}>
                    <bdi>{e.name.slice(0, 500)}</bdi>
                  </Linked>
                  {e.fields?.length ? <TagTable tags={e.fields} links={(x) => linked("logs", x, fields)} /> : null}
                </li>
              );
            })}
          </ul>
        </>
      ) : null}
      {s.links?.length ? (
        <>
          <h3>Links</h3>
          <ul>
            {s.links.slice(0, 100).map((l, i) => (
              <li key={i}>
                {l.type.replace("_", " ")} <Link to={`trace/${l.traceId}?uiFind=${l.spanId}`}>{l.traceId.slice(0, 8)}… {l.spanId}</Link>
              </li>
            ))}
          </ul>
        </>
      ) : null}
      {s.process?.length ? (
        <>
          <h3>Process</h3>
          <TagTable tags={s.process} links={(x) => linked("process", x, s.process!)} />
        </>
      ) : null}
      <h3>Identity</h3>
      <table className="tags">
        <tbody>
          <Row k="span id" v={s.id} />
          {s.view !== s.id && <Row k="id in Jaeger's API" v={s.view} />}
          {s.parent && <Row k="parent id" v={s.parent} />}
          <tr>
            <th scope="row">start</th>
            <td>
              <Time at={s.start} long fraction={6} />
            </td>
          </tr>
          {(["local", "remote"] as const).map((k) => (s[k] ? <Row key={k} k={`${k} endpoint`} v={[s[k].service, s[k].ip && `${s[k].ip}${s[k].port ? ":" + s[k].port : ""}`].filter(Boolean).join(" ")} /> : null))}
          {s.scope?.name && <Row k="scope" v={`${s.scope.name} ${s.scope.version ?? ""}`} />}
          {s.traceState && <Row k="trace state" v={s.traceState} />}
        </tbody>
      </table>
    </WithTools>
  );
}

/** Rows in here get their tools when the pointer or the keyboard comes, or if somebody stays. */
function WithTools({ stays, children }: { stays: boolean; children: React.ReactNode }) {
  const [touched, touch] = useState(false);
  return (
    <Tools.Provider value={stays || touched}>
      <div className="span" onPointerEnter={() => touch(true)} onFocusCapture={() => touch(true)}>
        {children}
      </div>
    </Tools.Provider>
  );
}

/** Whether somebody stays at what is shown, for what is not needed by those who pass. */
function useStays(): boolean {
  const [stays, set] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => set(true), 350);
    return () => clearTimeout(timer);
  }, []);
  return stays;
}

/** How the span's duration stands among those of its like, which the store counts many for. */
function StandingLine({ span: s, stays }: { span: SpanDetail; stays: boolean }) {
  const q = new URLSearchParams({ service: s.service, operation: s.operation, kind: s.kind ?? "", duration: String(s.duration), start: String(Math.max(0, s.start - halfWindow)), end: String(s.start + halfWindow) });
  const { data } = useJson<Standing>(stays ? `standing?${q}` : null);
  return (
    <p className="standing dim" role="status">
      {data ? standingText(data) : "\u00a0"}
    </p>
  );
}

type LinksOf = (kind: LinkKind, tag: Tag, items: Tag[]) => ExternalLink[];

/** The operator's links of the span's tags. Spans above it are asked for only if one lacks a value that they may have. */
function useLinks(s: SpanDetail, model: TraceModel, row: number): LinksOf {
  const { all } = model; // a value may stand above what is shown
  const missing = useMemo(() => {
    if (!patterns.length) return false;
    const lacks = (kind: LinkKind, tags: Tag[] = []) => tags.some((x) => tagLinks(kind, x, tags, [s], all).missing);
    return lacks("tags", s.tags) || !!s.events?.slice(0, 200).some((e) => lacks("logs", [{ key: "event", type: "string", value: e.name }, ...(e.fields ?? [])]));
  }, [s, all]);
  const above = missing ? ancestors(all, row + model.offset) : [];
  const ids = [...new Set(above.map((r) => hex(all.ids[r]!)))];
  const { data } = useAnswer<SpanDetail[]>(ids.length ? `${all.id} ${ids}` : null, (signal) => model.source.spans(all.id, ids, signal));
  const chain = [s, ...above.flatMap((r) => data?.find((x) => x.view === hex(all.views[r]!)) ?? [])];
  return (kind, tag, items) => (patterns.length ? tagLinks(kind, tag, items, chain, all).links : []);
}

/** A value with the operator's links: it is the link if there is one, else they follow it. */
export function Linked({ links, children }: { links: ExternalLink[]; children: React.ReactNode }) {
  if (!links.length) return children;
  const one = links.length === 1;
  return (
    <>
      {!one && children}
      {links.map((l, i) => (
        <a key={i} className={one ? "external" : "external below"} href={l.url} target={elsewhere} rel="noopener noreferrer" title={l.text}>
          {one ? children : l.text} <Icon name="link" label={one ? l.text : undefined} />
        </a>
      ))}
    </>
  );
}

/** What a proxy's span says of the mesh, read for the user. */
function MeshCard({ span: s, model, row, get }: { span: SpanDetail; model: TraceModel; row: number; get: (k: string) => string }) {
  const cluster = get("upstream_cluster") || get("upstream_cluster.name");
  const nodeID = get("node_id");
  if (!cluster && !nodeID) return null;
  const up = describeUpstream(parseUpstream(cluster));
  const here = parseNode(nodeID);
  const server = serverOf(model.t, row);
  const there = server >= 0 ? model.t.nodes[model.t.columns.node?.[server] ?? 0] : undefined;
  return (
    <dl className="mesh-card">
      {here.pod && (
        <div>
          <dt>{here.type === "router" ? "Gateway" : here.type === "waypoint" ? "Waypoint" : "Sidecar of"}</dt>
          <dd>
            {here.pod} <span className="dim">{here.namespace} · {here.ip}</span>
          </dd>
        </div>
      )}
      {up && s.kind === "client" && (
        <div>
          <dt>Upstream</dt>
          <dd>
            {up}
            {there?.pod && <> · {there.pod}</>} <span className="dim">{get("upstream_address") || get("peer.address")}</span>
          </dd>
        </div>
      )}
      {get("retry.count") && (
        <div>
          <dt>Retries</dt>
          <dd>{get("retry.count")}</dd>
        </div>
      )}
      {here.pod && (
        <div>
          <dt>Proxy's log</dt>
          <dd>
            <Command text={`kubectl logs ${here.pod} -n ${here.namespace} -c istio-proxy --since-time=${new Date(s.start / 1000 - 1000).toISOString()}`} />
          </dd>
        </div>
      )}
    </dl>
  );
}

const Command = ({ text }: { text: string }) => (
  <span className="command">
    <code title={text}>{text}</code>
    <Copy text={text} label="Copy the command" />
  </span>
);

// What an operator looks for first; the rest follows by name.
const first = ["error", "http.status_code", "response_flags", "http.method", "http.url", "upstream_cluster", "upstream_cluster.name", "peer.address", "upstream_address", "grpc.status_code", "istio.canonical_service", "istio.canonical_revision", "istio.namespace", "node_id", "guid:x-request-id"];

export function order(tags: Tag[], prefixes = config.topTags): Tag[] {
  const rank = (k: string) => {
    const top = prefixes.findIndex((p) => k.toLowerCase().startsWith(p));
    if (top >= 0) return top - prefixes.length;
    const i = first.indexOf(k);
    return i < 0 ? first.length : i;
  };
  return [...tags].sort((a, b) => rank(a.key) - rank(b.key) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

function TagTable({ tags, service, links }: { tags: Tag[]; service?: string; links?: (tag: Tag) => ExternalLink[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? tags : tags.slice(0, 100);
  return (
    <>
      <table className="tags">
        <tbody>
          {shown.map((x, i) => (
            <Row key={`${i}${x.key}`} k={x.key} v={typeof x.value === "string" ? x.value : JSON.stringify(x.value)} service={service} links={links?.(x)} />
          ))}
        </tbody>
      </table>
      {tags.length > shown.length && (
        <button type="button" onClick={() => setAll(true)}>
          {tags.length - shown.length} more
        </button>
      )}
    </>
  );
}

function Row({ k, v, service, links = [] }: { k: string; v: string; service?: string; links?: ExternalLink[] }) {
  const [all, setAll] = useState(false);
  const cut = !all && v.length > longest;
  const tools = useContext(Tools);
  return (
    <tr>
      <th scope="row">
        <bdi>{k.slice(0, 500)}</bdi>
      </th>
      <td>
        <Linked links={links}>
          <bdi>{visible(cut ? v.slice(0, longest) : v)}</bdi>
        </Linked>
        {cut && (
          <button type="button" className="small" onClick={() => setAll(true)}>
            … show all {Math.round(v.length / 1000)} kB
          </button>
        )}
        {tools && (
          <span className="row-tools">
            <Copy text={v} label={`Copy the value of ${k.slice(0, 60)}`} />
            {service !== undefined && v.length < 500 && (
              <Link className="quiet small" title="Search traces with this tag" to={`search?q=${encodeURIComponent(condition(k, "=", v))}&lookback=1h`}>
                <Icon name="search" label={`Search traces with ${k.slice(0, 60)} of this value`} />
              </Link>
            )}
          </span>
        )}
      </td>
    </tr>
  );
}

/** Control characters and what turns the direction of text, made visible. */
const visible = (s: string) => s.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
