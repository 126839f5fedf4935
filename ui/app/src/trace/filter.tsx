// What is searched for, left out and folded in a trace.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { ColumnMenu } from "../column-menu";
import { count, duration, parseDuration, plural } from "../format";
import { Icon, Menu } from "../kit";
import { QueryInput } from "../query-input";
import type { TraceModel } from "./model";
import { byName, rootServices } from "./svcfilter";

export function FilterBar({ model, version, timeline }: { model: TraceModel; version: number; timeline: boolean }) {
  const f = model.filter;
  const [text, setText] = useState(f.q);
  const sent = useRef(f.q);
  useLayoutEffect(() => {
    if (model.filter.q !== sent.current) setText((sent.current = model.filter.q)); // set from elsewhere
  }, [version]);
  useEffect(() => {
    if (text === sent.current) return;
    const timer = setTimeout(() => void model.search((sent.current = text)), 180);
    return () => clearTimeout(timer);
  }, [text]);
  const [min, setMin] = useState(f.min ? duration(f.min) : "");
  const found = model.found?.length ?? 0;
  const at = model.found ? model.found.indexOf(model.selected) : -1;
  const shown = model.layout.spans;
  return (
    <div className="filter-bar" data-find>
      <Icon name="search" />
      <QueryInput label="Find in this trace" quiet={model.source.path !== "trace"} value={text} onChange={setText} onSubmit={() => (text !== sent.current ? void model.search((sent.current = text)) : model.found && model.step(model.found, 1))} placeholder="Find: word, key=value, status>=500, !error…" invalid={!!model.findError} describedBy={model.findError ? "find-wrong" : undefined} />
      {f.q && (
        <span className="found" aria-live="polite">
          {model.finding ? "…" : model.findError ? "" : `${at >= 0 ? `${at + 1} of ` : ""}${plural(found, "match", "matches")}`}
        </span>
      )}
      {f.q && (
        <>
          <button type="button" className="small" aria-label="Previous match" disabled={!found} onClick={() => model.found && model.step(model.found, -1)}>
            <Icon name="up" />
          </button>
          <button type="button" className="small" aria-label="Next match" disabled={!found} onClick={() => model.found && model.step(model.found, 1)}>
            <Icon name="down" />
          </button>
          <button type="button" aria-pressed={f.mode === "filter"} title="Hide the spans that do not match, but not what leads to those that do" onClick={() => model.set(() => (model.filter = { ...f, mode: f.mode === "filter" ? "highlight" : "filter" }))}>
            Only matches
          </button>
        </>
      )}
      {model.findError && (
        <span className="wrong" id="find-wrong" role="alert">
          {model.findError}
        </span>
      )}
      {timeline && (
        <>
          <button type="button" aria-pressed={f.errors} disabled={!model.errorRows.length} onClick={() => model.set(() => (model.filter = { ...f, errors: !f.errors }))}>
            Only errors
          </button>
          <select aria-label="Only this service" value={f.service} onChange={(e) => model.set(() => (model.filter = { ...f, service: e.target.value }))}>
            <option value="">All services</option>
            {[...model.t.services].sort().slice(0, 1000).map((s) => (
              <option key={s} value={s}>
                {s.slice(0, 100)}
              </option>
            ))}
          </select>
          {model.t.services.length > 1 && <Services model={model} />}
          <input
            className="short"
            aria-label="At least this long"
            placeholder="≥ 10ms"
            value={min}
            onChange={(e) => {
              setMin(e.target.value);
              const us = e.target.value.trim() ? parseDuration(e.target.value.replace(/\s/g, "")) : 0;
              if (us !== null && us !== model.filter.min) model.set(() => (model.filter = { ...model.filter, min: us }));
            }}
          />
          {(f.errors || f.path || f.service || f.min > 0 || (f.q && f.mode === "filter")) && (
            <>
              <span className="found">{plural(shown, "row")} shown</span>
              <button type="button" className="small" onClick={() => (setMin(""), model.set(() => (model.filter = { ...f, errors: false, path: false, service: "", min: 0, mode: "highlight" })))}>
                Show all {count(model.t.n)}
              </button>
            </>
          )}
          <ColumnMenu chosen={model.columns} onChange={(keys) => void model.setColumns(keys)} keys={(prefix, signal) => model.source.keys(model.all, prefix, signal)} of={model.t.id} />
          {model.columnError && <span className="wrong">{model.columnError}</span>}
          <span className="grow" />
          {model.t.pair && (
            <button type="button" aria-pressed={model.hops} title="Show the two proxies of a call as one row (h)" onClick={() => model.set(() => (model.hops = !model.hops))}>
              Fold hops
            </button>
          )}
          <button type="button" aria-pressed={model.similar} title="Show five or more similar siblings as one row (m)" onClick={() => model.set(() => (model.similar = !model.similar))}>
            Fold similar
          </button>
          <button type="button" aria-pressed={model.critical} title="Underline what the answer was waiting for (c)" onClick={() => model.set(() => (model.critical = !model.critical))}>
            Critical path
          </button>
          {(model.critical || f.path) && (
            <button type="button" className="small" aria-pressed={!!f.path} aria-label="Only critical path" title="Hide the spans that the answer did not wait for (Shift C)" onClick={() => model.set(() => (model.filter = { ...f, path: !f.path }))}>
              only
            </button>
          )}
          <button type="button" className="small" title="Collapse all (])" onClick={() => model.collapse(true)}>
            Collapse
          </button>
          <button type="button" className="small" title="Expand all ([)" onClick={() => model.collapse(false)}>
            Expand
          </button>
        </>
      )}
    </div>
  );
}

const listed = 200; // of more services, those whose name is asked for

/** Which services are shown. A hidden one takes all that its spans called with it. */
function Services({ model }: { model: TraceModel }) {
  const { hiddenServices: hidden, t } = model;
  const { spans, errors } = model.layout.pruned;
  const [find, setFind] = useState("");
  const hide = (names: Set<string>) => model.set(() => model.hideServices(names));
  const toggle = (s: string) => {
    const next = new Set(hidden);
    next.has(s) ? next.delete(s) : next.add(s);
    hide(next);
  };
  return (
    <>
      <Menu label={hidden.size ? `Services ${t.services.length - hidden.size} of ${t.services.length}` : "Hide services"} title="Hide services, with all that they call">
        {() => {
          const roots = rootServices(t);
          const last = [...roots].filter((r) => !hidden.has(r)).length < 2; // the only one that is left to begin with stays
          const found = byName(t.services).filter((s) => s.toLowerCase().includes(find.toLowerCase()));
          return (
            <>
              {t.services.length > 10 && <input type="search" value={find} aria-label="Find a service" placeholder="Find a service" onChange={(e) => setFind(e.target.value)} />}
              <button type="button" className="small" disabled={!hidden.size} onClick={() => hide(new Set())}>
                Show all
              </button>
              <ul className="checks">
                {found.slice(0, listed).map((s) => (
                  <li key={s}>
                    <label title={s}>
                      <input type="checkbox" checked={!hidden.has(s)} disabled={last && roots.has(s) && !hidden.has(s)} onChange={() => toggle(s)} />
                      <i className="swatch" style={{ background: model.colors[t.services.indexOf(s)] }} />
                      <bdi>{s.slice(0, 80)}</bdi>
                    </label>
                  </li>
                ))}
                {found.length > listed && <li className="dim">and {count(found.length - listed)} more</li>}
              </ul>
            </>
          );
        }}
      </Menu>
      {hidden.size > 0 && (
        <span className="found">
          {plural(spans, "span")} hidden{errors > 0 && `, ${plural(errors, "error")}`}
        </span>
      )}
    </>
  );
}
