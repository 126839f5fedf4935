// The server as docs/ui-api.md describes it.
import { useLayoutEffect, useRef, useState } from "react";
import { Early } from "./early";
import { base } from "./router";

export const api = base + "api/ui/v1/";

/** An answer that is not 2xx, or none at all (status 0). */
export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly param?: string) {
    super(message);
  }
}

export async function request(path: string, init?: RequestInit): Promise<Response> {
  let r: Response;
  try {
    r = await fetch(path.startsWith("/") ? path : api + path, init);
  } catch (e) {
    if ((e as Error).name === "AbortError") throw e;
    throw new ApiError(0, "The server does not answer.");
  }
  if (r.ok || r.status === 304) return r;
  const text = await r.text().catch(() => "");
  try {
    const { error } = JSON.parse(text) as { error: { message: string; param?: string } };
    throw new ApiError(r.status, error.message, error.param);
  } catch (e) {
    if (e instanceof ApiError) throw e;
    throw new ApiError(r.status, text.trim().slice(0, 300) || `The server answered ${r.status}.`);
  }
}

export const json = <T>(path: string, signal?: AbortSignal): Promise<T> => request(path, { signal }).then((r) => r.json() as Promise<T>);

const early = new Early<unknown>();

/** Asks for what a view will ask for as soon as it is there. */
export const askEarly = (path: string) => early.ask(path, json<unknown>(path));

/** Settles when all that was asked early has been answered. */
export const earlyAnswers = early.settled;

export interface TagKey { key: string; spans: number }

/** Keys of tags in a range of time, as tags/keys takes it; the most frequent first. */
export const tagKeys = (range: string, prefix: string, signal?: AbortSignal) => json<{ keys: TagKey[] }>(`tags/keys?limit=200&prefix=${encodeURIComponent(prefix)}&${range}`, signal).then((a) => a.keys);

export interface Loaded<T> {
  data?: T; // the last good answer, kept while the next one is on its way
  error?: ApiError;
  loading: boolean;
  ms?: number; // how long the answer took
  reload: () => void;
}

/** What GET path answers; asks again when the path changes, and every `every` ms if given. null asks nothing. */
export const useJson = <T>(path: string | null, every = 0): Loaded<T> => useAnswer<T>(path, (signal) => (early.take(path!) as Promise<T> | undefined) ?? json<T>(path!, signal), every);

/** The same of any question that `path` names. */
export function useAnswer<T>(path: string | null, question: (signal: AbortSignal) => Promise<T>, every = 0): Loaded<T> {
  const [state, set] = useState<{ data?: T; error?: ApiError; loading: boolean; ms?: number }>(() => {
    const known = path === null ? undefined : (early.known(path) as T | undefined);
    return { data: known, loading: path !== null && known === undefined };
  });
  const [turn, again] = useState(0);
  const shown = useRef<string | null>(null);
  const known = useRef(state.data !== undefined && !every);
  useLayoutEffect(() => { // asked at once, not after a frame
    if (path === null) return set({ loading: false });
    if (known.current) {
      known.current = false;
      shown.current = path;
      early.take(path);
      return;
    }
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const ask = () => {
      const t = performance.now();
      question(abort.signal).then(
        (data) => {
          shown.current = path;
          set({ data, loading: false, ms: performance.now() - t });
          if (every) timer = setTimeout(ask, every);
        },
        (error: Error) => {
          if (abort.signal.aborted) return;
          set((s) => ({ ...s, error: error instanceof ApiError ? error : new ApiError(0, String(error)), loading: false }));
          if (every) timer = setTimeout(ask, every * 2);
        },
      );
    };
    set((s) => ({ ...s, loading: true, error: undefined }));
    ask();
    return () => (abort.abort(), clearTimeout(timer));
  }, [path, every, turn]);
  return { ...state, reload: () => again((n) => n + 1) };
}

export interface Summary {
  id: string;
  start: number;
  duration: number;
  spans: number;
  errors: number;
  orphans: number;
  roots: number;
  root: { id: string; service: string; operation: string; kind: string; duration: number; error: boolean; status?: string; flags?: string; method?: string; path?: string; host?: string };
  services: { name: string; namespace?: string; spans: number; errors: number; revisions?: string[] }[];
  moreServices?: number;
  statuses?: Record<string, number>;
  flags?: Record<string, number>;
  columns?: Record<string, string[]>; // by key of a tag
  matched: number;
  partial?: boolean;
}

export interface SearchAnswer { traces: Summary[]; limit: number; more?: boolean; examined?: number; complete?: boolean; missing?: string[] }

export interface Tag { key: string; type: string; value: unknown }
export interface Endpoint { service?: string; ip?: string; port?: number }
export interface SpanDetail {
  id: string; view: string; parent?: string; service: string; operation: string; kind?: string;
  start: number; startNs: string; duration: number; error?: boolean; status?: string; statusMessage?: string;
  shared?: boolean; debug?: boolean; noStart?: boolean;
  tags?: Tag[]; events?: { time: number; name: string; fields?: Tag[] }[];
  links?: { traceId: string; spanId: string; type: string; tags?: Tag[] }[];
  process?: Tag[]; local?: Endpoint; remote?: Endpoint;
  scope?: { name?: string; version?: string; tags?: Tag[] }; traceState?: string; warnings?: string[];
}

export interface Scan { spans: number; from: number; complete: boolean }
