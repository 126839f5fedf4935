// Zipkin's v2 JSON, read as the server's collector reads it.
import type { Tag } from "../api";
import { CLIENT, compareText, DEBUG, type Endpoint, idOf, isObject, type Json, kinds, listOf, Malformed, microsIn, newSpan, objectIn, parseID, SHARED, type Span, textOf, within } from "./span";

export function zipkinSpan(v: unknown): Span {
  const o = objectIn(v, "the span");
  if (o.binaryAnnotations) throw new Malformed("this is a span of Zipkin's version 1; version 2 is read here", ["binaryAnnotations"]);
  const s = newSpan(idOf(o, "traceId", 32), idOf(o, "id", 16));
  if (o.parentId) {
    const parent = parseID(textOf(o.parentId), 16);
    if (parent === null) throw new Malformed(`parentId ${JSON.stringify(o.parentId).slice(0, 60)} is not an id`, ["parentId"]);
    if (parent !== s.id) s.parent = parent;
  }
  s.start.us = Math.max(0, microsIn(o, "timestamp"));
  s.took = Math.max(0, microsIn(o, "duration")) * 1000;
  s.name = textOf(o.name);
  s.kind = Math.max(0, kinds.indexOf(textOf(o.kind).toLowerCase()));
  if (isTrue(o.debug)) s.flags |= DEBUG;
  if (isTrue(o.shared) && s.kind !== CLIENT) s.flags |= SHARED;
  s.local = endpoint(o, "localEndpoint");
  s.remote = endpoint(o, "remoteEndpoint");
  s.tags = tags(o);
  const events = listOf(o, "annotations").map((a, i) =>
    within(["annotations", i], () => {
      const at = objectIn(a, "the annotation");
      if (!at.timestamp || at.value === undefined || at.value === null) throw new Malformed("an annotation has no timestamp or no value");
      return { time: { us: microsIn(at, "timestamp"), ns: 0 }, name: textOf(at.value), fields: [] };
    }),
  );
  events.sort((a, b) => a.time.us - b.time.us || compareText(a.name, b.name));
  s.events = events.filter((e, i) => i === 0 || e.time.us !== events[i - 1]!.time.us || e.name !== events[i - 1]!.name);
  return s;
}

const isTrue = (v: unknown) => v === true || v === "true" || v === 1 || v === "1";

function tags(o: Json): Tag[] {
  const v = o.tags;
  if (v === undefined || v === null || (Array.isArray(v) && !v.length)) return [];
  if (!isObject(v)) throw new Malformed("tags is not an object", ["tags"]);
  return Object.entries(v).map(([key, value]) => ({ key, type: "string", value: textOf(value) })).sort((a, b) => compareText(a.key, b.key));
}

function endpoint(o: Json, key: string): Endpoint {
  const v = o[key];
  if (v === undefined || v === null || (Array.isArray(v) && !v.length)) return {};
  if (!isObject(v)) throw new Malformed(`${key} is not an object`, [key]);
  const e: Endpoint = {};
  if (v.serviceName) e.service = textOf(v.serviceName);
  for (const ip of [v.ipv6, v.ipv4]) addIP(e, textOf(ip));
  const port = v.port === undefined || v.port === null ? 0 : Number(v.port);
  if (!(Number.isInteger(port) && port <= 65_535)) throw new Malformed(`port ${JSON.stringify(v.port).slice(0, 30)} is no port`, [key, "port"]);
  if (port > 0) e.port = port;
  return e;
}

/** Puts an address where its family belongs; what is no address is ignored. */
export function addIP(e: Endpoint, text: string) {
  const v4 = /^(?:::(?:ffff:)?)?(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(text);
  if (v4) e.ip = v4[1]!;
  else if (text.includes(":") && /^[0-9a-fA-F:.]+$/.test(text)) e.ipv6 = text.toLowerCase();
}
