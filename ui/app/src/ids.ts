// Trace ids in the forms people paste.

/** Whatever has a trace id in it → the id in lower-case hex; null if there is none. */
export function findTraceID(text: string): string | null {
  const s = text.trim();
  const inURL = /\/traces?\/([0-9a-fA-F]{1,32})(?=[/?#]|$)/.exec(s);
  if (inURL) return inURL[1]!.toLowerCase();
  const parent = /\b[0-9a-f]{2}-([0-9a-fA-F]{32})-[0-9a-fA-F]{16}-[0-9a-fA-F]{2}\b/.exec(s); // W3C traceparent
  if (parent) return parent[1]!.toLowerCase();
  const b3 = /^(?:b3:\s*)?([0-9a-fA-F]{32}|[0-9a-fA-F]{16})-[0-9a-fA-F]{16}(?:-[01d](?:-[0-9a-fA-F]{16})?)?$/.exec(s);
  if (b3) return b3[1]!.toLowerCase();
  if (/^(0x)?[0-9a-fA-F]{1,32}$/.test(s)) return s.replace(/^0x/, "").toLowerCase();
  const long = /\b([0-9a-fA-F]{32})\b/.exec(s) ?? /\b([0-9a-fA-F]{16})\b/.exec(s);
  return long ? long[1]!.toLowerCase() : fromBase64(s);
}

/** OTLP's JSON in its base64 form: 8 or 16 bytes. */
function fromBase64(s: string): string | null {
  if (!/^[A-Za-z0-9+/_-]{11}=?$|^[A-Za-z0-9+/_-]{22}(==)?$/.test(s)) return null;
  try {
    const raw = atob(s.replace(/-/g, "+").replace(/_/g, "/").replace(/=+$/, ""));
    return Array.from(raw, (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  } catch {
    return null;
  }
}
