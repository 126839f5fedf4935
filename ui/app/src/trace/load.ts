// Fetches a trace's skeleton; the page asks for it before React is there.
import { ApiError, request } from "../api";
import { decode, type Skeleton } from "./skeleton";

export interface LoadedTrace { trace: Skeleton; etag: string; tags: string[] } // tags: keys that have columns, if any span has them

const early = new Map<string, Promise<LoadedTrace>>();

export function prefetch(id: string, tags: string[]) {
  const p = fetchTrace(id, tags);
  p.catch(() => {}); // whoever loads it hears of it
  early.set(path(id, tags), p);
}

export function load(id: string, tags: string[] = []): Promise<LoadedTrace> {
  const p = early.get(path(id, tags)) ?? fetchTrace(id, tags);
  early.delete(path(id, tags));
  return p;
}

const path = (id: string, tags: string[]) => `traces/${encodeURIComponent(id)}/skeleton${tags.length ? "?tags=" + encodeURIComponent(tags.join(",")) : ""}`;

export async function fetchTrace(id: string, tags: string[], signal?: AbortSignal): Promise<LoadedTrace> {
  const r = await request(path(id, tags), { signal });
  return { trace: decode(await r.arrayBuffer()), etag: r.headers.get("ETag") ?? "", tags };
}

/** The trace if it has changed since, else null. */
export async function newer(id: string, tags: string[], etag: string, signal: AbortSignal): Promise<LoadedTrace | null> {
  const r = await request(path(id, tags), { headers: etag ? { "If-None-Match": etag } : {}, signal, cache: "no-store" });
  if (r.status === 304) return null;
  return { trace: decode(await r.arrayBuffer()), etag: r.headers.get("ETag") ?? "", tags };
}

/** A trace with one more tag as a column, for statistics. */
export async function withTag(id: string, tag: string, signal: AbortSignal): Promise<Skeleton> {
  if (!tag) throw new ApiError(400, "no tag");
  return (await fetchTrace(id, [tag], signal)).trace;
}
