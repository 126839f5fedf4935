// The page's side of the worker that reads files: a source of traces like the
// server, and the list of what is open. It lasts as long as the page.
import { useSyncExternalStore } from "react";
import { ApiError, type Summary } from "../api";
import type { Skeleton } from "../trace/skeleton";
import type { Source } from "../trace/source";
import type { Opened, Problem } from "./files";
import type { Calls } from "./worker";

interface Asked { n: number; call: keyof Calls; args: unknown[] }

let worker: Worker | null = null;
let asked = 0;
const waiting = new Map<number, { message: Asked; done: (v: unknown) => void; fail: (e: Error) => void }>();
const batches: File[][] = []; // as they were opened
let clock: ReturnType<typeof setTimeout>;

/** How long the worker may look for one query's spans, in ms. An expression can be such that it would never end. */
const longest = 5000;

function started(): Worker {
  if (worker) return worker;
  worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  worker.onmessage = (e: MessageEvent<{ n: number; begun?: true; result?: unknown; error?: string }>) => {
    const { n, begun, result, error } = e.data;
    clearTimeout(clock);
    if (begun) return void (clock = setTimeout(() => restart(n), longest));
    const w = waiting.get(n);
    waiting.delete(n);
    error === undefined ? w?.done(result) : w?.fail(new ApiError(400, error));
  };
  worker.onerror = (e) => {
    clearTimeout(clock);
    for (const w of waiting.values()) w.fail(new ApiError(400, `The file cannot be read here: ${e.message || "the browser gave up"}`));
    waiting.clear();
    worker = null; // and with it what was open
    batches.length = 0;
    set({ traces: [], busy: "" });
  };
  return worker;
}

/** Ends a search that takes too long, with the worker that is busy with it; another one reads the files again and answers what else was asked. */
function restart(stuck: number) {
  worker?.terminate();
  worker = null;
  waiting.get(stuck)?.fail(new ApiError(400, `this takes longer than ${longest / 1000} seconds to find: a simpler expression may not`));
  waiting.delete(stuck);
  const rest = [...waiting.values()];
  const again = batches.map((files): Asked => ({ n: ++asked, call: "open", args: [files] }));
  for (const message of again) waiting.set(message.n, { message, done: (v) => set({ traces: (v as Opened).traces }), fail: () => {} });
  for (const message of [...again, ...rest.map((w) => w.message)]) started().postMessage(message);
}

function ask<T>(call: keyof Calls, args: Calls[keyof Calls], signal?: AbortSignal): Promise<T> {
  const message: Asked = { n: ++asked, call, args };
  return new Promise<T>((done, fail) => {
    waiting.set(message.n, { message, done: done as (v: unknown) => void, fail });
    signal?.addEventListener("abort", () => {
      if (waiting.delete(message.n)) fail(new DOMException("no longer wanted", "AbortError"));
    });
    started().postMessage(message);
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
    batches.push(files);
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
