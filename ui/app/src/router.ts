// Where the application is: one subscription to the address, links that do not
// reload, and a base path that is read from the page, never configured.
import { useSyncExternalStore } from "react";

/** The base path, with a slash at both ends. */
export const base = typeof document === "undefined" ? "/" : new URL(document.baseURI).pathname;

export interface Place {
  path: string; // after the base, no leading slash: "trace/abc"
  query: URLSearchParams;
}

let current = typeof location === "undefined" ? { path: "", query: new URLSearchParams() } : read();
const listeners = new Set<() => void>();

function read(): Place {
  const p = location.pathname;
  const path = p.startsWith(base) ? p.slice(base.length) : p + "/" === base ? "" : p.slice(1);
  return { path: path.replace(/\/+$/, ""), query: new URLSearchParams(location.search) };
}

function changed() {
  current = read();
  for (const l of listeners) l();
}

if (typeof window !== "undefined") window.addEventListener("popstate", changed);

export const place = () => current;

export function usePlace(): Place {
  return useSyncExternalStore((l) => (listeners.add(l), () => void listeners.delete(l)), place);
}

/** Goes to a path below the base, query included. */
export function go(to: string, replace = false) {
  const url = href(to);
  if (url === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  if (!replace) window.scrollTo(0, 0);
  changed();
}

export const href = (to: string) => base + to;

/** The query with some parameters set; null, undefined and "" take one out. */
export function withParams(q: URLSearchParams, set: Record<string, string | null | undefined>): string {
  const next = new URLSearchParams(q);
  for (const [k, v] of Object.entries(set)) v ? next.set(k, v) : next.delete(k);
  const s = next.toString();
  return s ? "?" + s : "";
}

/** Sets parameters of the present address; a state of a view, so no history entry unless told. */
export function setParams(set: Record<string, string | null | undefined>, push = false) {
  go(current.path + withParams(current.query, set), !push);
}
