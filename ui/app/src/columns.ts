// Tags whose values stand in columns, of the traces found and of a trace's
// rows: cols=key,key in the address. Nothing is asked for while there are none.

/** As many as the server gives at once. */
export const mostColumns = 8;

export function readColumns(q: URLSearchParams): string[] {
  const keys = (q.get("cols") ?? "").split(",").map((k) => k.trim()).filter((k) => k && k.length <= 256);
  return [...new Set(keys)].slice(0, mostColumns);
}

export const writeColumns = (keys: string[]) => keys.join(",") || null;

/** How many columns fit beside bars that must stay readable, and how wide they are. */
export function fitColumns(room: number, wanted: number): { count: number; width: number } {
  const least = 56, bars = 100;
  const count = Math.max(0, Math.min(wanted, Math.floor((room - bars) / least)));
  return { count, width: count ? Math.max(least, Math.min(130, Math.floor(room / 2 / count))) : 0 };
}
