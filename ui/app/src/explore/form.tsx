// Jaeger's search form: the same fields in the same order. A service is optional.
import { useLayoutEffect, useState } from "react";
import { type ApiError, useJson } from "../api";
import { count, inputTime, parseDuration, parseInputTime } from "../format";
import { config } from "../config";
import { LogfmtError } from "../logfmt";
import { useZone } from "../prefs";
import { base } from "../router";
import { QueryInput } from "../query-input";
import { defaultLookback, lookbackChoices, lookbackLabel, lookbackMicros, readTags, type Search, tagsText } from "./state";

interface Draft { service: string; operation: string; tags: string; lookback: string; from: string; to: string; min: string; max: string; limit: string; errors: Search["errors"] }

export function SearchForm({ search, error, onFind }: { search: Search; error?: ApiError; onFind: (s: Search) => void }) {
  const zone = useZone();
  const fresh = (): Draft => ({
    service: search.service,
    operation: search.operation,
    tags: tagsText(search),
    lookback: search.lookback || defaultLookback,
    from: search.start ? inputTime(search.start, zone) : "",
    to: search.end ? inputTime(search.end, zone) : "",
    min: search.minDuration,
    max: search.maxDuration,
    limit: String(search.limit),
    errors: search.errors,
  });
  const [draft, set] = useState(fresh);
  const [problems, setProblems] = useState<Record<string, string>>({});
  useLayoutEffect(() => (set(fresh()), setProblems({})), [JSON.stringify(search), zone]);
  const put = (part: Partial<Draft>) => set((d) => ({ ...d, ...part }));
  const services = useJson<{ data: string[] | null }>(base + "api/services");
  const operations = useJson<{ data: string[] | null }>(draft.service ? `${base}api/services/${encodeURIComponent(draft.service)}/operations` : null);

  const find = () => {
    const wrong: Record<string, string> = {};
    let tags: Record<string, string> = {};
    try {
      tags = readTags(draft.tags);
    } catch (e) {
      if (!(e instanceof LogfmtError)) throw e;
      wrong.tags = e.message;
    }
    for (const k of ["min", "max"] as const) if (draft[k].trim() && parseDuration(draft[k]) === null) wrong[k] = "write a duration such as 1.2s, 100ms or 500us";
    if (!wrong.min && !wrong.max && draft.min && draft.max && parseDuration(draft.min)! > parseDuration(draft.max)!) wrong.max = "is less than the least duration";
    const limit = Number(draft.limit);
    if (!Number.isInteger(limit) || limit < 1 || limit > config.maxLimit) wrong.limit = `a number from 1 to ${config.maxLimit}`;
    let start: number | null = null, end: number | null = null;
    if (draft.lookback === "custom") {
      start = parseInputTime(draft.from, zone);
      end = parseInputTime(draft.to, zone);
      if (start === null) wrong.from = "a date and a time";
      if (end === null) wrong.to = "a date and a time";
      else if (start !== null && start > end) wrong.to = "is before the start";
      // the fields know whole seconds; an untouched end keeps its microseconds
      if (search.start !== null && draft.from === inputTime(search.start, zone)) start = search.start;
      if (search.end !== null && draft.to === inputTime(search.end, zone)) end = search.end;
    }
    setProblems(wrong);
    if (Object.keys(wrong).length) return;
    onFind({ service: draft.service, operation: draft.operation, tags, q: search.q, errors: draft.errors, lookback: draft.lookback, start, end, limit, minDuration: draft.min.trim(), maxDuration: draft.max.trim(), traceIDs: [] });
  };
  const wrong: Record<string, string> = error?.param ? { [{ minDuration: "min", maxDuration: "max" }[error.param] ?? error.param]: error.message, ...problems } : problems;
  const note = (k: string) =>
    wrong[k] && (
      <span className="wrong" id={`wrong-${k}`}>
        {wrong[k]}
      </span>
    );
  const about = (k: string) => ({ "aria-describedby": wrong[k] ? `wrong-${k}` : undefined, "aria-invalid": wrong[k] ? true : undefined });
  const choices = lookbackChoices();
  const known = services.data?.data ?? [];
  return (
    <form
      className="search-form"
      aria-label="Search"
      onSubmit={(e) => {
        e.preventDefault();
        find();
      }}
    >
      <label>
        <span>
          Service {known.length > 0 && <span className="dim">({count(known.length)})</span>}
        </span>
        <select value={draft.service} onChange={(e) => put({ service: e.target.value, operation: "" })}>
          <option value="">All services</option>
          {draft.service && !known.includes(draft.service) && <option>{draft.service}</option>}
          {known.map((s) => (
            <option key={s}>{s}</option>
          ))}
        </select>
      </label>
      <label>
        <span>Operation</span>
        <input list="operations" value={draft.operation} placeholder="any" onChange={(e) => put({ operation: e.target.value })} />
        <datalist id="operations">
          {(operations.data?.data ?? []).slice(0, 500).map((o) => (
            <option key={o} value={o} />
          ))}
        </datalist>
      </label>
      <div className="field">
        <label htmlFor="tags-field">Tags</label>
        <QueryInput inputId="tags-field" label="Tags" logfmt value={draft.tags} onChange={(tags) => put({ tags })} onSubmit={find} service={draft.service} placeholder="http.status_code=503 key=&quot;a b&quot;" describedBy={wrong.tags ? "wrong-tags" : undefined} invalid={!!wrong.tags} />
        {note("tags")}
      </div>
      <label>
        <span>Lookback</span>
        <select value={draft.lookback} onChange={(e) => put({ lookback: e.target.value })}>
          {!choices.some((c) => c.value === draft.lookback) && lookbackMicros(draft.lookback) !== null && <option value={draft.lookback}>{lookbackLabel(draft.lookback)}</option>}
          {choices.map((c) => (
            <option key={c.value} value={c.value}>
              {c.label}
            </option>
          ))}
          <option value="custom">Custom time range</option>
        </select>
      </label>
      {draft.lookback === "custom" && (
        <>
          <label>
            <span>Start ({zone === "utc" ? "UTC" : "local time"})</span>
            <input type="datetime-local" step="1" value={draft.from} onChange={(e) => put({ from: e.target.value })} {...about("from")} />
            {note("from")}
          </label>
          <label>
            <span>End</span>
            <input type="datetime-local" step="1" value={draft.to} onChange={(e) => put({ to: e.target.value })} {...about("to")} />
            {note("to")}
          </label>
        </>
      )}
      <div className="pairs">
        <label>
          <span>Min duration</span>
          <input value={draft.min} placeholder="e.g. 100ms" onChange={(e) => put({ min: e.target.value })} {...about("min")} />
          {note("min")}
        </label>
        <label>
          <span>Max duration</span>
          <input value={draft.max} placeholder="e.g. 1.2s" onChange={(e) => put({ max: e.target.value })} {...about("max")} />
          {note("max")}
        </label>
        <label>
          <span>Errors</span>
          <select value={draft.errors} onChange={(e) => put({ errors: e.target.value as Search["errors"] })}>
            <option value="">Any</option>
            <option value="trace">Anywhere in the trace</option>
            <option value="span">On the matching span</option>
          </select>
        </label>
        <label>
          <span>Limit results</span>
          <input inputMode="numeric" value={draft.limit} onChange={(e) => put({ limit: e.target.value })} {...about("limit")} />
          {note("limit")}
        </label>
      </div>
      <button type="submit" className="primary">
        Find traces
      </button>
    </form>
  );
}
