// Which form a file has, and the spans in it.
import { jaegerTrace } from "./jaeger";
import { otlpSpans } from "./otlp";
import { firstError, lineOf, locate } from "./scan";
import { isObject, Malformed, type Span, within } from "./span";
import { zipkinSpan } from "./zipkin";

/** What can be opened; a browser takes a text no longer than about twice this. */
export const maxBytes = 256 << 20;
export const maxSpans = 1_000_000;

/** What is wrong with a file, for people: with line and column where there is one. */
export class Unreadable extends Error {}

/** The spans of a text: JSON, or lines of it. */
export function readText(text: string, lines: boolean): Span[] {
  if (text.startsWith("\uFEFF")) text = text.slice(1);
  const end = text.indexOf("\n");
  if (lines || (end > 0 && /\S/.test(text.slice(end, end + 1000)) && isJson(text.slice(0, end)))) return readLines(text);
  return readJson(text, 0);
}

function isJson(line: string): boolean {
  if (!line.trim()) return false;
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

function readLines(text: string): Span[] {
  const spans: Span[] = [];
  for (let from = 0, line = 0; from < text.length; line++) {
    let end = text.indexOf("\n", from);
    if (end < 0) end = text.length;
    const one = text.slice(from, end);
    from = end + 1;
    if (!one.trim()) continue;
    for (const s of readJson(one, line)) spans.push(s);
    bounded(spans);
  }
  return spans;
}

/** `before`: the lines of the file before this text. */
function readJson(text: string, before: number): Span[] {
  const blame = (at: number, message: string) => {
    const { line, column } = lineOf(text, at);
    return new Unreadable(`Line ${before + line}, column ${column}: ${message}`);
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (e) {
    const wrong = firstError(text);
    throw wrong ? blame(wrong.at, `this is not JSON: ${wrong.message}.`) : new Unreadable(`It cannot be read: ${(e as Error).message}`);
  }
  try {
    return spansOf(value);
  } catch (e) {
    if (e instanceof Malformed) throw blame(locate(text, e.path), `${e.message}.`);
    throw e;
  }
}

/** Throws Malformed if it is in none of the forms. */
export function spansOf(v: unknown): Span[] {
  const spans: Span[] = [];
  add(v, spans, 0);
  return spans;
}

const unknown = "this is no trace in Jaeger's, Zipkin's or OTLP's JSON";

function add(v: unknown, to: Span[], depth: number) {
  if (Array.isArray(v)) {
    if (depth > 2) throw new Malformed(unknown);
    v.forEach((e, i) => within([i], () => add(e, to, depth + 1)));
    return;
  }
  if (!isObject(v)) throw new Malformed(unknown);
  if ("resourceSpans" in v) for (const s of otlpSpans(v)) to.push(s);
  else if ("data" in v && depth === 0) {
    // what Jaeger's API answers; null is how it spells an empty list
    if (v.data !== null) within(["data"], () => add(v.data, to, depth + 1));
  } else if ("result" in v && depth === 0) within(["result"], () => add(v.result, to, depth + 1));
  else if ("spans" in v && ("traceID" in v || "processes" in v)) for (const s of jaegerTrace(v)) to.push(s);
  else if ("traceId" in v && "id" in v) to.push(zipkinSpan(v));
  else if ("traceId" in v || "localEndpoint" in v) to.push(zipkinSpan(v)); // says what is missing
  else throw new Malformed(unknown);
  bounded(to);
}

function bounded(spans: Span[]) {
  if (spans.length > maxSpans) throw new Unreadable(`It has more than ${maxSpans.toLocaleString("en")} spans, which are too many for a page. Send it to the collector instead.`);
}
