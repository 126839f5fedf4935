// Numbers and times as people read them. Times are µs since the epoch.
import type { Zone } from "./prefs";

/** 1234 µs → "1.23 ms"; three digits of precision, never more than seven letters. */
export function duration(us: number): string {
  if (!Number.isFinite(us)) return "–";
  const a = Math.abs(us);
  if (a < 0.9995 && a > 0) return `${digits(us * 1000)} ns`;
  if (a < 999.5) return `${digits(us)} µs`;
  if (a < 999_500) return `${digits(us / 1e3)} ms`;
  if (a < 119.95e6) return `${digits(us / 1e6)} s`;
  const s = Math.round(a / 1e6);
  const sign = us < 0 ? "-" : "";
  const two = (n: number, a: string, m: number, b: string) => `${sign}${n} ${a}${m ? ` ${m} ${b}` : ""}`;
  if (s < 7200 && s !== 3600) return two(Math.floor(s / 60), "m", s % 60, "s");
  if (s < 172_800) return two(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "m");
  return two(Math.floor(s / 86_400), "d", Math.floor((s % 86_400) / 3600), "h");
}

function digits(n: number): string {
  const a = Math.abs(n);
  return n.toFixed(a >= 99.95 ? 0 : a >= 9.995 ? 1 : 2).replace(/\.0+$|(\.\d*?)0+$/, "$1");
}

const two = (n: number) => String(n).padStart(2, "0");

interface Parts { y: number; mo: number; d: number; h: number; mi: number; s: number; us: number }

function parts(us: number, zone: Zone): Parts {
  const ms = Math.floor(us / 1000);
  const t = new Date(ms);
  const rest = Math.floor(us - ms * 1000);
  return zone === "utc"
    ? { y: t.getUTCFullYear(), mo: t.getUTCMonth() + 1, d: t.getUTCDate(), h: t.getUTCHours(), mi: t.getUTCMinutes(), s: t.getUTCSeconds(), us: t.getUTCMilliseconds() * 1000 + rest }
    : { y: t.getFullYear(), mo: t.getMonth() + 1, d: t.getDate(), h: t.getHours(), mi: t.getMinutes(), s: t.getSeconds(), us: t.getMilliseconds() * 1000 + rest };
}

/** "2026-11-24 14:03:07.123" */
export function timestamp(us: number, zone: Zone, fraction = 3): string {
  const p = parts(us, zone);
  return `${p.y}-${two(p.mo)}-${two(p.d)} ${clock(us, zone, fraction)}`;
}

/** "14:03:07.123" */
export function clock(us: number, zone: Zone, fraction = 3): string {
  const p = parts(us, zone);
  const f = fraction ? "." + String(p.us).padStart(6, "0").slice(0, fraction) : "";
  return `${two(p.h)}:${two(p.mi)}:${two(p.s)}${f}`;
}

/** The value of an <input type=datetime-local step=1>. */
export function inputTime(us: number, zone: Zone): string {
  const p = parts(us, zone);
  return `${p.y}-${two(p.mo)}-${two(p.d)}T${two(p.h)}:${two(p.mi)}:${two(p.s)}`;
}

export function parseInputTime(text: string, zone: Zone): number | null {
  const m = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?$/.exec(text);
  if (!m) return null;
  const [y, mo, d, h, mi, s] = m.slice(1).map((x) => Number(x ?? 0)) as [number, number, number, number, number, number];
  return (zone === "utc" ? Date.UTC(y, mo - 1, d, h, mi, s) : new Date(y, mo - 1, d, h, mi, s).getTime()) * 1000;
}

/** "12 s ago" */
export function ago(us: number, now: number): string {
  const s = Math.round((now - us) / 1e6);
  if (s < 0) return "in the future";
  if (s < 2) return "just now";
  if (s < 120) return `${s} s ago`;
  if (s < 7200) return `${Math.round(s / 60)} min ago`;
  if (s < 172_800) return `${Math.round(s / 3600)} h ago`;
  return `${Math.round(s / 86_400)} d ago`;
}

/** 1234567 → "1,234,567". As Intl.NumberFormat does it, which takes 10 ms to begin with. */
export function exact(n: number): string {
  const [int, rest] = String(Number.isInteger(n) ? n : Math.round(n * 1000) / 1000).split(".");
  return int!.replace(/\B(?=(\d{3})+$)/g, ",") + (rest ? "." + rest : "");
}

/** 1234567 → "1.2M" */
function short(n: number): string {
  let i = 0, x = Math.abs(n);
  while (x >= 999.95 && i < 4) (x /= 1000), i++;
  return `${n < 0 ? "-" : ""}${exact(Math.round(x * 10) / 10)}${["", "K", "M", "B", "T"][i]}`;
}
export const count = (n: number) => (Math.abs(n) < 100_000 ? exact(n) : short(n));
export const plural = (n: number, one: string, many = one + "s") => `${count(n)} ${n === 1 ? one : many}`;

export function percent(part: number, all: number): string {
  if (!all) return "–";
  const p = (100 * part) / all;
  return p === 0 ? "0 %" : p < 0.1 ? "<0.1 %" : p >= 10 ? `${Math.round(p)} %` : `${p.toFixed(1)} %`;
}

export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) (n /= 1000), i++;
  return `${i ? digits(n) : n} ${units[i]}`;
}

/** n in so many µs: "12/s", "3.2/min", "5/h". */
export function rate(n: number, us: number): string {
  if (!(us > 0)) return "–";
  const s = (n * 1e6) / us;
  return s === 0 ? "0" : s >= 1 ? `${digits(s)}/s` : s * 60 >= 1 ? `${digits(s * 60)}/min` : `${digits(s * 3600)}/h`;
}

/** "1.2s", "100ms", "500us" → µs; null if it cannot be read. */
export function parseDuration(text: string): number | null {
  const m = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*(ns|us|µs|ms|s|m|h)\s*$/.exec(text);
  if (!m) return null;
  const unit = { ns: 1e-3, us: 1, "µs": 1, ms: 1e3, s: 1e6, m: 60e6, h: 3600e6 }[m[2]!]!;
  return Number(m[1]) * unit;
}

/** µs as the API reads it: "150ms". */
export function goDuration(us: number): string {
  return us >= 1e6 && us % 1e3 === 0 ? `${us / 1e6}s` : us >= 1e3 ? `${Math.round(us) / 1e3}ms` : `${Math.round(us)}us`;
}
