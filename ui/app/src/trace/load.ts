// Traces of the store, asked of the server; the page asks for one before React
// is there.
import { json, request, type SpanDetail, tagKeys } from "../api";
import { Early } from "../early";
import { decode } from "./skeleton";
import type { LoadedTrace, Source, TraceEvents } from "./source";

const early = new Early<LoadedTrace>();

/** Asks for a trace that will be loaded; settles when it is there. */
export function prefetch(id: string, tags: string[]): Promise<unknown> {
  early.ask(path(id, tags), fetchTrace(id, tags));
  return early.settled();
}

/** A trace that was asked for early, if it is there. It is given once. */
export function takeLoaded(id: string, tags: string[]): LoadedTrace | undefined {
  const t = early.known(path(id, tags));
  if (t) void early.take(path(id, tags));
  return t;
}

const path = (id: string, tags: string[]) => `traces/${encodeURIComponent(id)}/skeleton${tags.length ? "?tags=" + encodeURIComponent(tags.join(",")) : ""}`;

const read = async (r: Response, tags: string[]): Promise<LoadedTrace> => ({ trace: decode(await r.arrayBuffer()), etag: r.headers.get("ETag") ?? "", tags });

const fetchTrace = async (id: string, tags: string[], signal?: AbortSignal) => read(await request(path(id, tags), { signal }), tags);

export const stored: Source = {
  path: "trace",
  load: (id, tags, signal) => early.take(path(id, tags)) ?? fetchTrace(id, tags, signal),
  async newer(id, tags, etag, signal) {
    const r = await request(path(id, tags), { headers: etag ? { "If-None-Match": etag } : {}, signal, cache: "no-store" });
    return r.status === 304 ? null : read(r, tags);
  },
  keys: (t, prefix, signal) => tagKeys(`start=${Math.floor(t.start)}&end=${Math.ceil(t.start + t.duration)}`, prefix, signal),
  spans: (id, ids, signal) => json<{ spans: SpanDetail[] }>(`traces/${id}/spans?ids=${ids.join(",")}`, signal).then((a) => a.spans),
  find: (id, q, signal) => json<{ rows: number[] }>(`traces/${id}/find?q=${encodeURIComponent(q)}`, signal).then((a) => a.rows),
  events: (id, signal) => json<TraceEvents>(`traces/${id}/events`, signal),
};
