// Where a trace comes from: the store behind the server, or a file that was
// opened in this page. Every view of a trace asks through this.
import type { SpanDetail, Tag, TagKey } from "../api";
import type { Skeleton } from "./skeleton";

export interface LoadedTrace { trace: Skeleton; etag: string; tags: string[] } // tags: keys that have columns, if any span has them

/** All events of a trace in order of time; `count` is of all, though only some may come. */
export interface TraceEvents { events: TraceEvent[]; count: number }
export interface TraceEvent { row: number; at: number; name: string; fields?: Tag[] } // at: µs after the trace's start

export interface Source {
  /** What the address of its pages begins with. */
  path: "trace" | "upload";
  /** The trace, with columns for tags with these keys. */
  load(id: string, tags: string[], signal?: AbortSignal): Promise<LoadedTrace>;
  /** The trace if it has changed since, else null. */
  newer(id: string, tags: string[], etag: string, signal: AbortSignal): Promise<LoadedTrace | null>;
  /** Keys of tags that spans of the trace may have, the most frequent first. */
  keys(trace: Skeleton, prefix: string, signal: AbortSignal): Promise<TagKey[]>;
  /** All about the spans with these ids. */
  spans(id: string, ids: string[], signal: AbortSignal): Promise<SpanDetail[]>;
  /** Rows of the spans that meet the query. */
  find(id: string, q: string, signal: AbortSignal): Promise<number[]>;
  events(id: string, signal: AbortSignal): Promise<TraceEvents>;
}
