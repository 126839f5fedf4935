// Old addresses and other people's, and what they are called here.
import { lookbackMicros } from "./explore/state";
import { condition } from "./logfmt";

/** Where an address has moved to, below the base; null if it has not. */
export function moved(path: string, q: URLSearchParams): string | null {
  const rest = q.size ? "?" + q : "";
  const zipkin = /^zipkin(?:\/(.*))?$/.exec(path);
  if (zipkin) return lens(zipkin[1] ?? "", q);
  switch (path) {
    case "":
      return "search" + rest;
    case "topology":
      return "dependencies" + rest;
    case "deep-dependencies":
      return "dependencies" + (q.get("service") ? "?focus=" + encodeURIComponent(q.get("service")!) : "");
    case "quality-metrics":
      return "mesh";
    case "monitor": { // Jaeger has its range in milliseconds
      const minutes = Math.round(Number(q.get("timeframe")) / 60_000);
      if (!(minutes >= 1)) return null;
      const to = new URLSearchParams(q);
      to.delete("timeframe");
      to.set("lookback", minutes % 60 ? `${Math.min(minutes, 9999)}m` : `${Math.min(minutes / 60, 9999)}h`);
      return "monitor?" + to;
    }
  }
  return null;
}

/** Zipkin Lens keeps times in milliseconds and conditions in "a and b=c". */
function lens(path: string, q: URLSearchParams): string | null {
  const trace = /^traces?\/([0-9a-fA-F]+)$/.exec(path);
  if (trace) return "trace/" + trace[1]!.toLowerCase();
  if (path === "traceViewer") return "upload";
  const to = new URLSearchParams();
  const micros = (k: string) => (/^\d{1,14}$/.test(q.get(k) ?? "") ? Number(q.get(k)) * 1000 : null);
  const put = (k: string, v: string | number | null | undefined) => v !== null && v !== undefined && v !== "" && to.set(k, String(v));
  const back = lookbackMicros(q.get("lookback") ?? "");
  const end = micros("endTs") ?? micros("endTime");
  const start = micros("startTs") ?? micros("startTime") ?? (end !== null ? end - (micros("millis") ?? back ?? 900e6) : null);
  if (start !== null && end !== null) (put("start", start), put("end", end), put("lookback", "custom"));
  else if (back !== null) put("lookback", q.get("lookback"));
  if (path === "dependency") return "dependencies" + (to.size ? "?" + to : "");
  if (path !== "") return null;
  put("service", q.get("serviceName"));
  put("operation", q.get("spanName"));
  put("limit", q.get("limit"));
  for (const k of ["minDuration", "maxDuration"]) put(k, q.get(k)?.replace(/^\d+$/, "$&us"));
  const conditions = (q.get("annotationQuery") ?? "").split(/ and /).filter((c) => c.trim()).map((c) => {
    const eq = c.indexOf("=");
    return eq < 0 ? c.trim() : condition(c.slice(0, eq).trim(), "=", c.slice(eq + 1).trim());
  });
  if (q.get("remoteServiceName")) conditions.push(condition("peer.service", "=", q.get("remoteServiceName")!));
  put("q", conditions.join(" "));
  return "search" + (to.size ? "?" + to : "");
}
