// Traces of files: a place to drop them on, the list of what is in them, and
// one of them. Nothing of them is sent anywhere.
import { useEffect, useRef } from "react";
import type { Summary } from "../api";
import { openFiles } from "../app";
import { rootName } from "../explore/facets";
import { count, duration, plural } from "../format";
import { type Column, Icon, Link, Service, sorted, Status, Table, Time } from "../kit";
import { go, setParams, usePlace } from "../router";
import { later } from "../later";
import { uploaded, useOpenFiles } from "./source";

const Trace = later(() => import("../trace"));

export default function Files({ id }: { id: string }) {
  return id ? <Trace key={id} id={id} source={uploaded} /> : <List />;
}

function List() {
  const { traces, problems, busy } = useOpenFiles();
  const { query } = usePlace();
  const sort = query.get("sort") ?? "-start";
  useEffect(() => void (document.title = "Files – Spandrel"), []);
  const columns: Column<Summary>[] = [
    {
      key: "name", label: "Trace", width: "minmax(130px, 2.6fr)", by: rootName,
      cell: (t) => (
        <span className="trace-name">
          <Icon name={t.errors ? "error" : "ok"} label={t.errors ? "with errors" : "without errors"} />
          <Link to={`upload/${t.id}`} title={`${t.root.service}: ${t.root.operation}\n${t.id}`}>
            <bdi>{rootName(t).slice(0, 200)}</bdi>
          </Link>
          <span className="dim">
            <Service name={t.root.service.slice(0, 100)} />
          </span>
          {t.orphans > 0 && <span className="chip" title={`${plural(t.orphans, "span")} whose parent is not there`}>incomplete</span>}
        </span>
      ),
    },
    { key: "status", label: "Status", width: "64px", by: (t) => Number(t.root.status ?? 0), cell: (t) => <Status code={t.root.status} /> },
    { key: "services", label: "Services", width: "80px", right: true, by: (t) => t.services.length, cell: (t) => count(t.services.length + (t.moreServices ?? 0)), spare: 3 },
    { key: "spans", label: "Spans", width: "76px", right: true, by: (t) => t.spans, cell: (t) => count(t.spans), spare: 2 },
    { key: "errors", label: "Errors", width: "64px", right: true, by: (t) => t.errors, cell: (t) => (t.errors ? <span className="bad">{count(t.errors)}</span> : <span className="dim">0</span>), spare: 3 },
    { key: "duration", label: "Duration", width: "92px", right: true, by: (t) => t.duration, cell: (t) => duration(t.duration) },
    { key: "start", label: "Start", width: "190px", right: true, by: (t) => t.start, cell: (t) => <Time at={t.start} long />, spare: 3 },
  ];
  return (
    <div className="files">
      <Drop busy={busy} />
      {problems.map((p, i) => (
        <div className="trouble" role="alert" key={i}>
          <Icon name="error" />
          <span>
            {p.file && (
              <>
                <b>
                  <bdi>{p.file.slice(0, 200)}</bdi>
                </b>{" "}
              </>
            )}
            {p.message}
          </span>
        </div>
      ))}
      {traces.length > 0 && (
        <>
          <div className="result-bar">
            <strong aria-live="polite">{plural(traces.length, "trace")} open</strong>
            <span className="dim">They last as long as this page.</span>
          </div>
          <div className="fill">
            <Table label="Traces of the files" className="traces" columns={columns} rows={sorted(traces, columns, sort)} sort={sort} onSort={(s) => setParams({ sort: s === "-start" ? null : s })} id={(t) => t.id} height={34} onOpen={(t) => go(`upload/${t.id}`)} />
          </div>
        </>
      )}
    </div>
  );
}

/** A field to choose files with. They can be dropped on it, as on the rest of the page. */
function Drop({ busy }: { busy: string }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className="drop">
      <h1>Open files</h1>
      <p>
        Jaeger's, Zipkin's (version 2) or OTLP's JSON, as one text or one a line (<code>.jsonl</code>), gzipped or not. Drop files here or{" "}
        <button type="button" className="primary" onClick={() => input.current?.click()}>
          choose files
        </button>
      </p>
      <input ref={input} type="file" multiple hidden accept=".json,.jsonl,.ndjson,.gz,application/json" aria-label="Files with traces" onChange={(e) => (void openFiles([...(e.target.files ?? [])]), (e.target.value = ""))} />
      <p className="dim" role="status">
        {busy ? `Reading ${busy.slice(0, 200)}…` : "They are read in this browser; nothing is sent to the server."}
      </p>
    </div>
  );
}
