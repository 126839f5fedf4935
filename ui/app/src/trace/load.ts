// Traces of the store, asked of the server; the page asks for one before React
// is there.
import { ApiError, json, request, type SpanDetail } from "../api";
import { decode } from "./skeleton";
import type { LoadedTrace, Source, TraceEvents } from "./source";

const early = new Map<string, Promise<LoadedTrace>>();

export function prefetch(id: string) {
  const p = fetchTrace(id);
  p.catch(() => {}); // whoever loads it hears of it
  early.set(id, p);
}

const path = (id: string) => `traces/${encodeURIComponent(id)}/skeleton`;

async function fetchTrace(id: string): Promise<LoadedTrace> {
  const r = await request(path(id));
  return { trace: decode(await r.arrayBuffer()), etag: r.headers.get("ETag") ?? "" };
}

export const stored: Source = {
  path: "trace",
  load(id) {
    const p = early.get(id) ?? fetchTrace(id);
    early.delete(id);
    return p;
  },
  async newer(id, etag, signal) {
    const r = await request(path(id), { headers: etag ? { "If-None-Match": etag } : {}, signal, cache: "no-store" });
    if (r.status === 304) return null;
    return { trace: decode(await r.arrayBuffer()), etag: r.headers.get("ETag") ?? "" };
  },
  async withTag(id, tag, signal) {
    if (!tag) throw new ApiError(400, "no tag");
    const r = await request(`${path(id)}?tags=${encodeURIComponent(tag)}`, { signal });
    return decode(await r.arrayBuffer());
  },
  spans: (id, ids, signal) => json<{ spans: SpanDetail[] }>(`traces/${id}/spans?ids=${ids.join(",")}`, signal).then((a) => a.spans),
  find: (id, q, signal) => json<{ rows: number[] }>(`traces/${id}/find?q=${encodeURIComponent(q)}`, signal).then((a) => a.rows),
  events: (id, signal) => json<TraceEvents>(`traces/${id}/events`, signal),
};
