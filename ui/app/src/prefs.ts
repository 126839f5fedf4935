// What one reader prefers, apart from what a link says. Storage may be blocked
// or full: then preferences last as long as the page.
import { useSyncExternalStore } from "react";

const memory = new Map<string, string>();
const listeners = new Set<() => void>();

export function pref(key: string, fallback: string): string {
  const held = memory.get(key);
  if (held !== undefined) return held;
  try {
    return localStorage.getItem("spandrel." + key) ?? fallback;
  } catch {
    return fallback;
  }
}

export function setPref(key: string, value: string) {
  memory.set(key, value);
  try {
    localStorage.setItem("spandrel." + key, value);
  } catch {
    // kept in memory
  }
  for (const l of listeners) l();
}

export function usePref(key: string, fallback: string): string {
  return useSyncExternalStore((l) => (listeners.add(l), () => void listeners.delete(l)), () => pref(key, fallback));
}

/** "utc" or "local". */
export const useZone = () => usePref("tz", "local") as Zone;
export type Zone = "utc" | "local";

export type Theme = "auto" | "light" | "dark";
export function setTheme(t: Theme) {
  if (t === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = t;
  setPref("theme", t);
}
