// The page's side of the worker that reads files: a source of traces like the
// server, and the list of what is open. It lasts as long as the page.
import { useSyncExternalStore } from "react";
import { ApiError, type Summary } from "../api";
import type { Skeleton } from "../trace/skeleton";
import type { Source } from "../trace/source";
import type { Opened, Problem } from "./files";
import type { Calls } from "./worker";

let worker: Worker | null = null;
let asked = 0;
const waiting = new Map<number, { done: (v: unknown) => void; fail: (e: Error) => void }>();

function ask<T>(call: keyof Calls, args: Calls[keyof Calls], signal?: AbortSignal): Promise<T> {
  if (!worker) {
    worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = (e: MessageEvent<{ n: number; result?: unknown; error?: string }>) => {
      const { n, result, error } = e.data;
      const w = waiting.get(n);
      waiting.delete(n);
      error === undefined ? w?.done(result) : w?.fail(new ApiError(400, error));
    };
    worker.onerror = (e) => {
      for (const w of waiting.values()) w.fail(new ApiError(400, `The file cannot be read here: ${e.message || "the browser gave up"}`));
      waiting.clear();
      worker = null; // and with it what was open
      set({ traces: [], busy: "" });
    };
  }
  const n = ++asked;
  return new Promise<T>((done, fail) => {
    waiting.set(n, { done: done as (v: unknown) => void, fail });
    signal?.addEventListener("abort", () => {
      if (waiting.delete(n)) fail(new DOMException("no longer wanted", "AbortError"));
    });
    worker!.postMessage({ n, call, args });
  });
}

export interface OpenFiles { traces: Summary[]; problems: Problem[]; busy: string }

let state: OpenFiles = { traces: [], problems: [], busy: "" };
const listeners = new Set<() => void>();
function set(part: Partial<OpenFiles>) {
  state = { ...state, ...part };
  for (const l of listeners) l();
}

export const useOpenFiles = () => useSyncExternalStore((l) => (listeners.add(l), () => void listeners.delete(l)), () => state);

/** Reads files; says which traces are in them, if all went well. */
export async function open(files: File[]): Promise<string[]> {
  if (!files.length) return [];
  set({ busy: files.length === 1 ? files[0]!.name : `${files.length} files`, problems: [] });
  try {
    const { traces, problems, fresh } = await ask<Opened>("open", [files]);
    set({ traces, problems, busy: "" });
    return problems.length ? [] : fresh;
  } catch (e) {
    set({ busy: "", problems: [{ file: files.map((f) => f.name).join(", "), message: (e as Error).message }] });
    return [];
  }
}

/** Traces of files: they do not change, and only this page knows them. */
export const uploaded: Source = {
  path: "upload",
  async load(id, tags, signal) {
    try {
      return { trace: await ask<Skeleton>("skeleton", [id, tags], signal), etag: "", tags };
    } catch (e) {
      throw e instanceof ApiError && e.message === "not open" ? new ApiError(404, "This trace is not open.") : e;
    }
  },
  newer: () => Promise.resolve(null),
  keys: (t, prefix, signal) => ask("keys", [t.id, prefix], signal),
  spans: (id, ids, signal) => ask("spans", [id, ids], signal),
  find: (id, q, signal) => ask("find", [id, q], signal),
  events: (id, signal) => ask("events", [id], signal),
};
