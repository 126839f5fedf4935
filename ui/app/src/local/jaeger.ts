// Jaeger's JSON of a trace, as its API and its page's downloads have it. Tags
// that stand for fields of a span become fields again, as they were before
// Jaeger's API wrote them as tags.
import type { Tag } from "../api";
import { addIP } from "./zipkin";
import { compareText, DEBUG, ERROR, type Event, idOf, isObject, type Json, kinds, type Link, listOf, Malformed, microsIn, missingService, newSpan, objectIn, OK, parseID, type Span, textOf, valueText, within } from "./span";

export function jaegerTrace(v: unknown): Span[] {
  const trace = objectIn(v, "the trace");
  const processes = trace.processes;
  if (processes !== undefined && processes !== null && !isObject(processes)) throw new Malformed("processes is not an object", ["processes"]);
  return listOf(trace, "spans").map((s, i) => within(["spans", i], () => span(objectIn(s, "the span"), (processes ?? {}) as Json, trace)));
}

function span(o: Json, processes: Json, trace: Json): Span {
  const s = newSpan(idOf("traceID" in o ? o : trace, "traceID", 32), idOf(o, "spanID", 16));
  s.name = textOf(o.operationName);
  s.start.us = Math.max(0, microsIn(o, "startTime"));
  s.took = Math.max(0, microsIn(o, "duration")) * 1000;
  if (Number(o.flags) & 2) s.flags |= DEBUG;
  s.warnings = listOf(o, "warnings").map(textOf);
  const id = textOf(o.processID);
  const process = o.process ?? processes[id];
  if (id && !isObject(process)) throw new Malformed(`processID ${JSON.stringify(id.slice(0, 60))} names none of the processes`, ["processID"]);
  if (isObject(process)) {
    const service = textOf(process.serviceName);
    if (service && service !== missingService) s.local.service = service;
    s.process = tagsOf(process, "tags");
  }
  references(s, o);
  s.tags = takeFields(s, tagsOf(o, "tags"));
  s.events = listOf(o, "logs").map((l, i) => within(["logs", i], () => event(objectIn(l, "the log"))));
  return s;
}

/** The first reference to a span of the trace is the parent, as in Jaeger's page. */
function references(s: Span, o: Json) {
  const links: Link[] = listOf(o, "references").map((r, i) =>
    within(["references", i], () => {
      const ref = objectIn(r, "the reference");
      return { traceId: idOf(ref, "traceID", 32), spanId: idOf(ref, "spanID", 16), type: textOf(ref.refType) === "FOLLOWS_FROM" ? "follows_from" : "child_of", tags: [] };
    }),
  );
  const inside = (l: Link) => l.traceId === s.trace;
  const up = links.find((l) => inside(l) && l.type === "child_of") ?? links.find(inside);
  if (up) s.parent = up.spanId;
  else if (o.parentSpanID) s.parent = parseID(textOf(o.parentSpanID), 16) ?? "";
  if (s.parent === s.id) s.parent = "";
  s.links = links.filter((l) => l !== up || l.type !== "child_of");
}

const types = new Set(["string", "bool", "int64", "float64", "binary"]);

function tagsOf(o: Json, key: string): Tag[] {
  return listOf(o, key).map((t, i) =>
    within([key, i], () => {
      const tag = objectIn(t, "the tag");
      if (typeof tag.key !== "string") throw new Malformed("a tag has no key");
      const type = typeof tag.type === "string" && types.has(tag.type) ? tag.type : typeof tag.value === "boolean" ? "bool" : typeof tag.value === "number" ? "float64" : "string";
      return { key: tag.key, type, value: type === "string" || typeof tag.value === "object" ? textOf(tag.value) : tag.value };
    }),
  );
}

function event(o: Json): Event {
  const fields = tagsOf(o, "fields");
  const name = fields.findIndex((f) => f.key === "event" && f.type === "string");
  return { time: { us: microsIn(o, "timestamp"), ns: 0 }, name: name < 0 ? "" : String(fields.splice(name, 1)[0]!.value), fields };
}

/** Turns tags that stand for fields into these, and leaves the others. */
function takeFields(s: Span, tags: Tag[]): Tag[] {
  let named = false;
  const rest = tags.filter((t) => {
    const text = valueText(t);
    switch (t.key) {
      case "span.kind":
        return !(text && kinds.includes(text)) || !(s.kind = kinds.indexOf(text));
      case "peer.service":
        return void (s.remote.service = text);
      case "net.host.ip":
        return void addIP(s.local, text);
      case "net.peer.ip":
        return void addIP(s.remote, text);
      case "net.host.port":
        return void (s.local.port = Number(text) || undefined);
      case "net.peer.port":
        return void (s.remote.port = Number(text) || undefined);
      case "otel.status_code":
        s.status = text === "ERROR" ? ERROR : text === "OK" ? OK : 0;
        return !s.status;
      case "otel.status_description":
        return void (s.message = text);
      case "w3c.tracestate":
        return void (s.state = text);
      case "otel.scope.name":
      case "otel.scope.version":
        s.scope ??= { name: "", version: "", tags: [] };
        return void (s.scope[t.key.slice(11) as "name" | "version"] = text);
      case "error":
        named ||= t.type === "string";
    }
    return true;
  });
  // beside an error's own text the API writes error=true
  return (named ? rest.filter((t) => t.key !== "error" || t.type === "string") : rest).sort((a, b) => compareText(a.key, b.key));
}
