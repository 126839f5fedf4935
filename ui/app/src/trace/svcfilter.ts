// Which services of a trace are shown, as Jaeger UI keeps it in the address:
// svcFilter=<checksum>.<bits>. Bit i is for the i-th service by name, in the
// order of UTF-16; the checksum is of those names, so that a filter made for
// other services is noticed. A hidden service hides all that its spans called.
import type { Skeleton } from "./skeleton";

export const byName = (services: readonly string[]) => [...services].sort();

/** 16 bits of a hash like FNV-1a over the names with a zero between them, in hex without leading zeros. */
export function checksum(names: readonly string[]): string {
  const text = names.join("\0");
  let h = 0x811c;
  for (let i = 0; i < text.length; i++) h = ((h ^ text.charCodeAt(i)) * 0x101) & 0xffff;
  return h.toString(16);
}

/** The parameter for these hidden services; null if none of the names is hidden. */
export function encode(names: readonly string[], hidden: ReadonlySet<string>): string | null {
  if (!names.some((n) => hidden.has(n))) return null;
  let bits = 0n;
  names.forEach((n, i) => {
    if (!hidden.has(n)) bits |= 1n << BigInt(i);
  });
  return `${checksum(names)}.${bits.toString(16)}`;
}

/** What the parameter hides; null if it is of other services or cannot be read. */
export function decode(names: readonly string[], param: string): Set<string> | null {
  const m = /^([0-9a-f]{1,4})\.([0-9a-fA-F]{1,4096})$/.exec(param);
  if (!m || m[1] !== checksum(names)) return null;
  const bits = BigInt("0x" + m[2]);
  const hidden = new Set(names.filter((_, i) => !(bits & (1n << BigInt(i)))));
  return hidden.size < names.length ? hidden : null;
}

/** Services of spans without a parent here. */
export function rootServices(t: Skeleton): Set<string> {
  const roots = new Set<string>();
  for (let r = 0; r < t.n; r += t.size[r]!) roots.add(t.services[t.service[r]!]!);
  return roots;
}

/** What may be hidden of what was asked for: something must be left to begin with. */
export function allowed(hidden: ReadonlySet<string>, roots: ReadonlySet<string>): Set<string> {
  const rest = new Set(hidden);
  if (roots.size === 1) for (const r of roots) rest.delete(r);
  return [...roots].every((r) => rest.has(r)) ? new Set() : rest;
}
