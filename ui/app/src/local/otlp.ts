// OTLP's JSON: an ExportTraceServiceRequest or TracesData. Ids in hexadecimal,
// or in base64 as protobuf's own JSON has them.
import type { Tag } from "../api";
import { addIP } from "./zipkin";
import { idOf, isObject, type Json, kinds, listOf, Malformed, missingService, newSpan, objectIn, parseID, type Span, textOf, type Time, within } from "./span";

export function otlpSpans(v: Json): Span[] {
  const spans: Span[] = [];
  listOf(v, "resourceSpans").forEach((r, i) =>
    within(["resourceSpans", i], () => {
      const rs = objectIn(r, "the element");
      const process = isObject(rs.resource) ? within(["resource"], () => attributes(rs.resource as Json)) : [];
      const at = process.findIndex((t) => t.key === "service.name");
      const service = at < 0 ? "" : textOf(process.splice(at, 1)[0]!.value);
      const key = rs.scopeSpans ? "scopeSpans" : "instrumentationLibrarySpans";
      listOf(rs, key).forEach((ss, k) =>
        within([key, k], () => {
          const scoped = objectIn(ss, "the element");
          const scope = scoped.scope ?? scoped.instrumentationLibrary;
          const name = isObject(scope) ? { name: textOf(scope.name), version: textOf(scope.version), tags: attributes(scope) } : undefined;
          listOf(scoped, "spans").forEach((x, n) =>
            within(["spans", n], () => {
              const s = span(objectIn(x, "the span"));
              if (service && service !== missingService) s.local.service = service;
              s.process = process;
              if (name && (name.name || name.version || name.tags.length)) s.scope = name;
              spans.push(s);
            }),
          );
        }),
      );
    }),
  );
  return spans;
}

function span(o: Json): Span {
  const s = newSpan(id(o, "traceId", 32), id(o, "spanId", 16));
  if (o.parentSpanId && parseID(textOf(o.parentSpanId), 16) !== "") s.parent = id(o, "parentSpanId", 16);
  if (s.parent === s.id) s.parent = "";
  s.name = textOf(o.name);
  s.kind = enumOf(o.kind, "SPAN_KIND_", kinds);
  s.start = nanos(o, "startTimeUnixNano");
  const end = nanos(o, "endTimeUnixNano");
  s.took = Math.max(0, (end.us - s.start.us) * 1000 + end.ns - s.start.ns);
  s.state = textOf(o.traceState);
  if (isObject(o.status)) {
    s.status = enumOf(o.status.code, "STATUS_CODE_", ["unset", "ok", "error"]);
    s.message = textOf(o.status.message);
  }
  s.tags = attributes(o).filter((t) => {
    // the store's downloads write endpoints in this way
    if (t.type !== "string") return true;
    const text = String(t.value);
    if (t.key === "peer.service") s.remote.service = text;
    else if (t.key === "net.host.ip") addIP(s.local, text);
    else if (t.key === "net.peer.ip") addIP(s.remote, text);
    else if (t.key === "net.host.port" && Number(text)) s.local.port = Number(text);
    else if (t.key === "net.peer.port" && Number(text)) s.remote.port = Number(text);
    else return true;
    return false;
  });
  s.events = listOf(o, "events").map((e, i) => within(["events", i], () => ({ time: nanos(objectIn(e, "the event"), "timeUnixNano"), name: textOf((e as Json).name), fields: attributes(e as Json) })));
  s.links = listOf(o, "links").map((l, i) =>
    within(["links", i], () => {
      const link = objectIn(l, "the link");
      const tags = attributes(link);
      return { traceId: id(link, "traceId", 32), spanId: id(link, "spanId", 16), type: tags.some((t) => t.key === "opentracing.ref_type" && t.value === "child_of") ? "child_of" : "follows_from", tags };
    }),
  );
  return s;
}

function id(o: Json, key: string, most: 16 | 32): string {
  const v = o[key];
  if (typeof v === "string" && v.length === (most === 32 ? 24 : 12) && /^[A-Za-z0-9+/]+=+$/.test(v)) {
    const hex = Array.from(atob(v), (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
    return idOf({ [key]: hex }, key, most);
  }
  return idOf(o, key, most);
}

function enumOf(v: unknown, prefix: string, names: string[]): number {
  if (typeof v === "number") return v >= 0 && v < names.length ? v : 0;
  return typeof v === "string" ? Math.max(0, names.indexOf(v.replace(prefix, "").toLowerCase())) : 0;
}

/** Nanoseconds as text or number. */
function nanos(o: Json, key: string): Time {
  const v = o[key];
  if (v === undefined || v === null) return { us: 0, ns: 0 };
  const text = typeof v === "number" ? BigInt(Math.round(v)).toString() : textOf(v);
  if (!/^\d{1,19}$/.test(text)) throw new Malformed(`${key} ${JSON.stringify(v).slice(0, 60)} is no number of nanoseconds`, [key]);
  return { us: Number(text.slice(0, -3)), ns: Number(text.slice(-3)) };
}

function attributes(o: Json): Tag[] {
  return listOf(o, "attributes").map((a, i) =>
    within(["attributes", i], () => {
      const at = objectIn(a, "the attribute");
      return { key: textOf(at.key), ...value(at.value) };
    }),
  );
}

/** A typed value; lists and maps become JSON text. */
function value(v: unknown): { type: string; value: unknown } {
  if (!isObject(v)) return { type: "string", value: textOf(v) };
  if (v.boolValue !== undefined) return { type: "bool", value: v.boolValue === true };
  if (v.intValue !== undefined) return { type: "int64", value: Number.isSafeInteger(Number(v.intValue)) ? Number(v.intValue) : textOf(v.intValue) };
  if (v.doubleValue !== undefined) return { type: "float64", value: v.doubleValue };
  if (v.bytesValue !== undefined) return { type: "binary", value: textOf(v.bytesValue) };
  if (v.arrayValue !== undefined || v.kvlistValue !== undefined) return { type: "string", value: JSON.stringify(plain(v)) };
  return { type: "string", value: textOf(v.stringValue) };
}

function plain(v: unknown): unknown {
  if (!isObject(v)) return v;
  if (isObject(v.arrayValue)) return listOf(v.arrayValue, "values").map(plain);
  if (isObject(v.kvlistValue)) return Object.fromEntries(listOf(v.kvlistValue, "values").map((a) => [textOf((a as Json).key), plain((a as Json).value)]));
  return value(v).value;
}
