// Traces as they arrive, by long poll. While the pointer is on the table, rows
// stay where they are and what is new waits behind a button.
import { useEffect, useRef, useState } from "react";
import { ApiError, json, type Summary } from "../api";
import { apiQuery, type Search } from "./state";

const most = 1500; // traces kept

interface TailAnswer { cursor: string; traces: Summary[]; changed: number; dropped: number; reset?: boolean }

export interface Tail {
  version: number; // changes with what merge gives
  merge: (found: Summary[]) => Summary[];
  pending: number;
  dropped: number;
  apply: () => void;
  hold: (on: boolean) => void;
  error?: ApiError;
}

/** Puts arrivals over what is known: newer versions replace, new ones go first. */
export function mergeTraces(known: Summary[], arrived: Summary[]): Summary[] {
  const by = new Map(known.map((t) => [t.id, t]));
  const fresh: Summary[] = [];
  for (const t of arrived) by.has(t.id) ? by.set(t.id, t) : fresh.push(t);
  return [...fresh, ...known.map((t) => by.get(t.id)!)].slice(0, most);
}

export function useTail(search: Search | null, columns: string[]): Tail {
  const waiting = useRef<Summary[]>([]);
  const shown = useRef<Summary[]>([]);
  const held = useRef(false);
  const [state, set] = useState({ version: 0, pending: 0, dropped: 0 });
  const [error, setError] = useState<ApiError>();
  const key = search ? apiQuery({ ...search, start: null, end: null }, columns) : "";
  const apply = () => {
    shown.current = mergeTraces(shown.current, waiting.current);
    waiting.current = [];
    set((s) => ({ ...s, version: s.version + 1, pending: 0 }));
  };
  useEffect(() => {
    waiting.current = [];
    shown.current = [];
    setError(undefined);
    set((s) => ({ version: s.version + 1, pending: 0, dropped: 0 }));
    if (!search) return;
    const abort = new AbortController();
    void (async () => {
      for (let cursor = ""; !abort.signal.aborted; ) {
        try {
          const q = new URLSearchParams(key);
          q.set("limit", "200");
          if (cursor) q.set("cursor", cursor);
          const a = await json<TailAnswer>("tail?" + q, abort.signal);
          cursor = a.cursor;
          setError(undefined);
          waiting.current = mergeTraces(waiting.current, a.traces);
          if (a.dropped) set((s) => ({ ...s, dropped: s.dropped + a.dropped }));
          if (!held.current) apply();
          else set((s) => ({ ...s, pending: waiting.current.length }));
          await pause(a.traces.length ? 300 : 0, abort.signal); // at most three turns a second
        } catch (e) {
          if (abort.signal.aborted) return;
          setError(e instanceof ApiError ? e : new ApiError(0, String(e)));
          await pause(3000, abort.signal);
        }
      }
    })();
    return () => abort.abort();
  }, [key, search === null]);
  return {
    ...state,
    error,
    apply,
    merge: (found) => mergeTraces(found, shown.current),
    hold: (on) => {
      held.current = on;
      if (!on && waiting.current.length) apply();
    },
  };
}

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((done) => {
    const t = setTimeout(done, ms);
    signal.addEventListener("abort", () => (clearTimeout(t), done()));
  });
