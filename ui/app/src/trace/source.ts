// Where a trace comes from: the store behind the server, or a file that was
// opened in this page. Every view of a trace asks through this.
import type { SpanDetail, Tag } from "../api";
import type { Skeleton } from "./skeleton";

export interface LoadedTrace { trace: Skeleton; etag: string }

/** All events of a trace in order of time; `count` is of all, though only some may come. */
export interface TraceEvents { events: TraceEvent[]; count: number }
export interface TraceEvent { row: number; at: number; name: string; fields?: Tag[] } // at: µs after the trace's start

export interface Source {
  /** What the address of its pages begins with. */
  path: "trace" | "upload";
  load(id: string): Promise<LoadedTrace>;
  /** The trace if it has changed since, else null. */
  newer(id: string, etag: string, signal: AbortSignal): Promise<LoadedTrace | null>;
  /** The trace with one more tag as a column. */
  withTag(id: string, tag: string, signal: AbortSignal): Promise<Skeleton>;
  /** All about the spans with these ids. */
  spans(id: string, ids: string[], signal: AbortSignal): Promise<SpanDetail[]>;
  /** Rows of the spans that meet the query. */
  find(id: string, q: string, signal: AbortSignal): Promise<number[]>;
  events(id: string, signal: AbortSignal): Promise<TraceEvents>;
}
