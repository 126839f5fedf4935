// Fetches a trace's skeleton; the page asks for it before React is there.
import { ApiError, request } from "../api";
import { decode, type Skeleton } from "./skeleton";

export interface LoadedTrace { trace: Skeleton; etag: string }

const early = new Map<string, Promise<LoadedTrace>>();

export function prefetch(id: string) {
  const p = fetchTrace(id);
  p.catch(() => {}); // whoever loads it hears of it
  early.set(id, p);
}

export function load(id: string): Promise<LoadedTrace> {
  const p = early.get(id) ?? fetchTrace(id);
  early.delete(id);
  return p;
}

const path = (id: string) => `traces/${encodeURIComponent(id)}/skeleton`;

async function fetchTrace(id: string): Promise<LoadedTrace> {
  const r = await request(path(id));
  return { trace: decode(await r.arrayBuffer()), etag: r.headers.get("ETag") ?? "" };
}

/** The trace if it has changed since, else null. */
export async function newer(id: string, etag: string, signal: AbortSignal): Promise<LoadedTrace | null> {
  const r = await request(path(id), { headers: etag ? { "If-None-Match": etag } : {}, signal, cache: "no-store" });
  if (r.status === 304) return null;
  return { trace: decode(await r.arrayBuffer()), etag: r.headers.get("ETag") ?? "" };
}

/** A trace with one more tag as a column, for statistics. */
export async function withTag(id: string, tag: string, signal: AbortSignal): Promise<Skeleton> {
  if (!tag) throw new ApiError(400, "no tag");
  const r = await request(`${path(id)}?tags=${encodeURIComponent(tag)}`, { signal });
  return decode(await r.arrayBuffer());
}
