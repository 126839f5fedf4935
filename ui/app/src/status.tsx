// Status: what listens, who sends what, what was refused and why, and what the
// store holds.
import { Checklist } from "./empty";
import { useJson } from "./api";
import { ago, bytes, count, exact, percent, plural } from "./format";
import { Card, Icon, Time, Trouble } from "./kit";
import type { StatusAnswer } from "./status-types";
import { useEffect, useRef } from "react";

const every = 2000;

export default function Status() {
  const { data: s, error, reload } = useJson<StatusAnswer>("status", every);
  useEffect(() => void (document.title = "Status – Spandrel"), []);
  const before = useRef<{ at: number; accepted: number; speed: string } | null>(null);
  if (!s) return error ? <Trouble error={error} retry={reload} /> : <p className="loading">Loading…</p>;
  const last = before.current;
  if (!last) before.current = { at: s.now, accepted: s.ingest.accepted, speed: "–" }; // not known yet
  else if (s.now - last.at >= 1.5e6) {
    const speed = (Math.max(0, s.ingest.accepted - last.accepted) * 1e6) / (s.now - last.at);
    before.current = { at: s.now, accepted: s.ingest.accepted, speed: speed >= 10 ? count(Math.round(speed)) : speed.toFixed(1) };
  }
  const { ingest: i, store: st } = s;
  const empty = !st.newest && !st.spans;
  return (
    <div className="page" tabIndex={0} role="region" aria-label="Status">
      {error && <Trouble error={error} retry={reload} />}
      <h1>Status</h1>
      <p className="dim">
        Spandrel {s.version} · started <Time at={s.started} long fraction={0} /> ({ago(s.started, s.now)}) · {s.ready ? <span className="chip status ok">ready</span> : <span className="chip status bad">not ready: {s.trouble}</span>}
      </p>
      <div className="cards">
        {empty && (
          <Card wide>
            <h2>Nothing has been stored yet</h2>
            <Checklist status={s} />
          </Card>
        )}
        <Card>
          <h2>Spans</h2>
          <div className="figures">
            <Figure value={exact(i.accepted)} label="stored since the start" />
            <Figure value={before.current!.speed} label="a second" />
            <Figure value={exact(i.rejected)} label="rejected" bad={i.rejected > 0} />
            <Figure value={exact(i.failed)} label="could not be stored" bad={i.failed > 0} />
          </div>
          {st.newest ? <p className="dim">The newest span began {ago(st.newest, s.now)}.</p> : null}
          <Reasons title="Rejected spans" rows={(i.rejections ?? []).map((r) => [`${r.reason}${r.format ? ` (${r.format})` : ""}`, r.spans])} />
          <Reasons title="Not stored" rows={(i.failures ?? []).map((r) => [r.reason, r.spans])} />
          <Reasons title="Refused requests" rows={(i.requests ?? []).map((r) => [r.reason, r.requests])} />
        </Card>
        <Card>
          <h2>Store</h2>
          <div className="figures">
            {st.bytes !== undefined && <Figure value={bytes(st.bytes)} label={st.maxBytes ? `of ${bytes(st.maxBytes)}` : "on disk"} />}
            {st.spans !== undefined && <Figure value={count(st.spans)} label="spans" />}
            {st.traces !== undefined && <Figure value={count(st.traces)} label={st.maxTraces ? `traces, of ${count(st.maxTraces)}` : "traces"} />}
            {st.services !== undefined && <Figure value={count(st.services)} label="services" />}
          </div>
          {st.bytes !== undefined && st.maxBytes ? (
            <div className="meter" role="meter" aria-label="Share of the store that is used" aria-valuenow={Math.round((100 * st.bytes) / st.maxBytes)} aria-valuemin={0} aria-valuemax={100} title={percent(st.bytes, st.maxBytes)}>
              <i style={{ width: `${Math.min(100, (100 * st.bytes) / st.maxBytes)}%` }} />
            </div>
          ) : null}
          <table className="plain">
            <tbody>
              <Line k="Kind">{st.kind}</Line>
              {st.dir && <Line k="Directory"><code>{st.dir}</code></Line>}
              {st.maxAgeSeconds ? <Line k="Kept for">{ago(0, st.maxAgeSeconds * 1e6).replace(" ago", "")}</Line> : null}
              {st.oldest ? <Line k="Oldest span"><Time at={st.oldest} long fraction={0} /></Line> : null}
              {st.newest ? <Line k="Newest span"><Time at={st.newest} long fraction={0} /></Line> : null}
            </tbody>
          </table>
        </Card>
        <Card>
          <h2>Listeners</h2>
          <table className="plain">
            <thead>
              <tr>
                <th>For</th>
                <th>Address</th>
                <th>State</th>
              </tr>
            </thead>
            <tbody>
              {s.listeners.map((l) => (
                <tr key={l.name}>
                  <td>{l.name}</td>
                  <td>
                    {l.address && <code>{l.address}</code>}
                    {l.tls ? " TLS" : ""}
                  </td>
                  <td>{l.open ? <span className="chip status ok">open</span> : <span className="chip">off</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Card>
        <Card>
          <h2>Who sends</h2>
          {i.services?.length ? (
            <table className="plain">
              <thead>
                <tr>
                  <th>Service</th>
                  <th>Format</th>
                  <th className="right">Spans</th>
                </tr>
              </thead>
              <tbody>
                {i.services.slice(0, 50).map((x) => (
                  <tr key={x.service + x.format}>
                    <td>
                      <bdi>{x.service.slice(0, 100)}</bdi>
                    </td>
                    <td className="dim">{x.format}</td>
                    <td className="right">{exact(x.accepted)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          ) : (
            <p className="dim">Nobody so far.</p>
          )}
          {(i.services?.length ?? 0) > 50 && <p className="dim">and {count(i.services!.length - 50)} more</p>}
        </Card>
        {i.misdirected?.length ? (
          <Card wide>
            <h2>
              <Icon name="error" /> Posts to the wrong place
            </h2>
            <p className="dim">Somebody sends spans to a path where nothing takes them. These are lost.</p>
            <table className="plain">
              <thead>
                <tr>
                  <th>Path</th>
                  <th>Why</th>
                  <th className="right">Requests</th>
                </tr>
              </thead>
              <tbody>
                {i.misdirected.slice(0, 50).map((m) => (
                  <tr key={m.path + m.reason}>
                    <td>
                      <code>
                        <bdi>{m.path.slice(0, 300)}</bdi>
                      </code>
                    </td>
                    <td>{m.reason}</td>
                    <td className="right">{exact(m.requests)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Card>
        ) : null}
        {st.partitions?.length ? (
          <Card wide>
            <h2>Partitions of the store</h2>
            <table className="plain">
              <thead>
                <tr>
                  <th>Name</th>
                  <th className="right">Spans</th>
                  <th className="right">Size</th>
                  <th>Oldest</th>
                  <th>Newest</th>
                  <th>State</th>
                </tr>
              </thead>
              <tbody>
                {st.partitions.slice(-100).map((p) => (
                  <tr key={p.name}>
                    <td>
                      <code>{p.name}</code>
                    </td>
                    <td className="right">{count(p.spans)}</td>
                    <td className="right">{bytes(p.bytes)}</td>
                    <td>{p.oldest ? <Time at={p.oldest} long fraction={0} /> : ""}</td>
                    <td>{p.newest ? <Time at={p.newest} long fraction={0} /> : ""}</td>
                    <td>{p.sealed ? "sealed" : `open, ${plural(p.segments, "segment")}`}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Card>
        ) : null}
      </div>
    </div>
  );
}

const Figure = ({ value, label, bad }: { value: string; label: string; bad?: boolean }) => (
  <div className="figure">
    <b className={bad ? "bad" : ""}>{value}</b>
    <span>{label}</span>
  </div>
);

const Line = ({ k, children }: { k: string; children: React.ReactNode }) => (
  <tr>
    <th scope="row">{k}</th>
    <td>{children}</td>
  </tr>
);

function Reasons({ title, rows }: { title: string; rows: [string, number][] }) {
  const some = rows.filter(([, n]) => n > 0);
  if (!some.length) return null;
  return (
    <>
      <h3>{title}</h3>
      <table className="plain">
        <tbody>
          {some.slice(0, 30).map(([reason, n]) => (
            <tr key={reason}>
              <td>{reason}</td>
              <td className="right">{exact(n)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
