import { describe, expect, test } from "vitest";
import { Files } from "./files";
import { readText, Unreadable } from "./forms";
import { firstError, lineOf, locate } from "./scan";
import { valueText } from "./span";

const otlp = {
  resourceSpans: [{
    resource: { attributes: [{ key: "service.name", value: { stringValue: "shop" } }, { key: "host.name", value: { stringValue: "h1" } }] },
    scopeSpans: [{
      scope: { name: "lib", version: "1" },
      spans: [
        { traceId: "W4EEp3eBFUaKtOQb1GUHrw==", spanId: "AAAAAAAAAAE=", name: "GET /", kind: "SPAN_KIND_SERVER", startTimeUnixNano: "1700000000000000123", endTimeUnixNano: "1700000000000002125", status: { code: "STATUS_CODE_ERROR", message: "no" }, attributes: [{ key: "n", value: { intValue: "9007199254740993" } }, { key: "list", value: { arrayValue: { values: [{ stringValue: "a" }, { intValue: 1 }] } } }, { key: "ok", value: { boolValue: false } }], events: [{ timeUnixNano: "1700000000000001000", name: "boom", attributes: [{ key: "why", value: { stringValue: "x" } }] }] },
        { traceId: "5b8104a7778115468ab4e41bd46507af", spanId: "2", parentSpanId: "1", name: "child", kind: 3, startTimeUnixNano: 1700000000000000500, endTimeUnixNano: 1700000000000001500, links: [{ traceId: "5b8104a7778115468ab4e41bd46507af", spanId: "1" }] },
      ],
    }],
  }],
};

test("OTLP: nanoseconds, typed values, base64 ids and names of enumerations are read", () => {
  const files = new Files();
  files.open([{ name: "a", text: JSON.stringify(otlp) }]);
  const [t] = files.list();
  expect([t!.id, t!.spans, t!.errors, t!.root.operation]).toEqual(["5b8104a7778115468ab4e41bd46507af", 2, 1, "GET /"]);
  const k = files.skeleton(t!.id);
  expect([k.duration, k.took[0], k.kinds[k.kind[0]!], k.kinds[k.kind[1]!], Array.from(k.parent as Int32Array)]).toEqual([2.002, 2.002, "server", "client", [-1, 0]]);
  const [s] = files.spans(t!.id, ["0000000000000001"]);
  expect(s).toMatchObject({ startNs: "1700000000000000123", status: "error", statusMessage: "no", service: "shop", process: [{ key: "host.name", value: "h1" }], scope: { name: "lib", version: "1" }, tags: [{ key: "n", type: "int64", value: "9007199254740993" }, { key: "list", type: "string", value: '["a",1]' }, { key: "ok", type: "bool", value: false }] });
  expect(files.events(t!.id)).toEqual({ count: 1, events: [{ row: 0, at: 0.877, name: "boom", fields: [{ key: "why", type: "string", value: "x" }] }] });
  expect(files.find(t!.id, "why=x otel.scope.name=lib")).toEqual([0]);
});

test("Jaeger: a reference without a parent nests, the event field names the event, old files have parentSpanID", () => {
  const files = new Files();
  const span = (spanID: string, more: object) => ({ traceID: "1", spanID, operationName: "op" + spanID, startTime: 1000 + Number(spanID), duration: 5, processID: "p1", ...more });
  const trace = { traceID: "1", processes: { p1: { serviceName: "a", tags: [{ key: "ip", type: "string", value: "1.2.3.4" }] } }, spans: [span("1", { logs: [{ timestamp: 1002, fields: [{ key: "event", type: "string", value: "hi" }, { key: "n", type: "int64", value: 3 }] }] }), span("2", { references: [{ refType: "FOLLOWS_FROM", traceID: "1", spanID: "1" }] }), span("3", { parentSpanID: "2" })] };
  files.open([{ name: "a", text: JSON.stringify({ data: [trace] }) }]);
  const id = files.list()[0]!.id;
  expect(Array.from(files.skeleton(id).parent as Int32Array)).toEqual([-1, 0, 1]);
  expect(files.spans(id, ["0000000000000002"])[0]!.links).toEqual([{ traceId: "0000000000000001", spanId: "0000000000000001", type: "follows_from", tags: [] }]);
  expect(files.events(id).events).toEqual([{ row: 0, at: 1, name: "hi", fields: [{ key: "n", type: "int64", value: 3 }] }]);
});

test("the parts of a trace in files that are opened together are put together; opened again it is replaced", () => {
  const files = new Files();
  const span = (id: string, parentId?: string) => ({ traceId: "1", id, parentId, timestamp: 1000, duration: 5, name: id });
  files.open([{ name: "a", text: JSON.stringify([span("1"), span("2", "1")]) }, { name: "b.jsonl", text: `${JSON.stringify(span("3", "1"))}\n${JSON.stringify(span("2", "1"))}` }]);
  expect(files.list().map((t) => [t.spans, t.orphans])).toEqual([[3, 0]]);
  files.open([{ name: "c", text: JSON.stringify([span("4", "1")]) }]);
  expect(files.list().map((t) => [t.spans, t.orphans])).toEqual([[1, 1]]);
});

test("spans sent in parts are one, cycles are cut, spans without a start begin with the trace", () => {
  const files = new Files();
  files.open([{ name: "a", text: JSON.stringify([
    { traceId: "1", id: "1", timestamp: 1000, name: "part", localEndpoint: { serviceName: "s" } }, { traceId: "1", id: "1", timestamp: 1000, duration: 7, tags: { k: "v" } },
    { traceId: "1", id: "2", parentId: "3", timestamp: 1001, duration: 1 }, { traceId: "1", id: "3", parentId: "2", timestamp: 1002, duration: 1 }, { traceId: "1", id: "4", parentId: "1" },
  ]) }]);
  const id = files.list()[0]!.id, t = files.skeleton(id);
  expect([t.n, t.roots, t.orphans]).toEqual([4, 2, 0]);
  expect(files.spans(id, ["0000000000000001"])[0]).toMatchObject({ operation: "part", duration: 0.007 * 1000, tags: [{ key: "k", value: "v" }] });
  const late = files.spans(id, ["0000000000000004"])[0]!;
  expect([late.start, late.noStart, late.warnings!.length]).toEqual([1000, true, 1]);
});

test("what is malformed is named with its line", () => {
  const wrong = (text: string, lines = false) => {
    try {
      readText(text, lines);
    } catch (e) {
      if (e instanceof Unreadable) return e.message;
      throw e;
    }
    return "";
  };
  expect(wrong("")).toMatch(/^Line 1, column 1: this is not JSON: a value is expected, not the end/);
  expect(wrong('{"data":[\n{"traceID":"1","spans":[')).toMatch(/^Line 2, column 25: .*a value is expected, not the end/);
  expect(wrong('{"a": "\nb"}')).toMatch(/^Line 1, column 8: .*control character/);
  expect(wrong('{"a": 1} x')).toMatch(/^Line 1, column 10: .*nothing more is expected/);
  expect(wrong('{"data":\n[{"traceID":"1","spans":[{"spanID":"1","tags":[{"key":"a"},\n{"value":1}]}]}]}')).toMatch(/^Line 3, column 1: a tag has no key/);
  expect(wrong('{"traceId":"1","id":"1"}\n{"traceId":"1"}\n')).toMatch(/^Line 2, column 1: id is missing/);
  expect(wrong('{"traceId":"1","id":"1"\n', true)).toMatch(/^Line 1, column 24: .*a comma or } is expected/);
  expect(wrong('[{"traceId":"1","id":"1","binaryAnnotations":[]}]')).toMatch(/version 1/);
  expect(wrong("[".repeat(5000))).toMatch(/nested more than 1000 deep|a value is expected/);
  expect(wrong('{"data":[{"traceID":"1","processes":{},"spans":[{"spanID":"1","processID":"p9"}]}]}')).toMatch(/names none of the processes/);
});

test("places in a text", () => {
  const text = '{"a": [1, {"b\\n": "x", "c": []}],\n "a": [10, [true]]}';
  const at = (...path: (string | number)[]) => text.slice(locate(text, path)).slice(0, 4);
  expect([at("a", 0), at("a", 1, 0), at("nothing"), firstError(text)]).toEqual(["10, ", "true", '{"a"', null]);
  expect(lineOf(text, text.indexOf("10"))).toEqual({ line: 2, column: 8 });
});

test("values are text as the server writes them", () => {
  const float = (value: number) => valueText({ key: "", type: "float64", value });
  // as strconv.FormatFloat(f, 'g', -1, 64) has them
  expect([0, 1.5, 100000, 123456, 1e6, 1234567, 1e21, 0.0001, 0.00001, -2.5e-7].map(float)).toEqual(["0", "1.5", "100000", "123456", "1e+06", "1.234567e+06", "1e+21", "0.0001", "1e-05", "-2.5e-07"]);
  expect([valueText({ key: "", type: "binary", value: "AP8=" }), valueText({ key: "", type: "bool", value: true })]).toEqual(["00ff", "true"]);
});

test("tags become columns; keys are those of spans, the most frequent first", () => {
  const files = new Files();
  const span = (id: string, tags: Record<string, string>) => ({ traceId: "1", id, timestamp: Number(id), duration: 1, tags });
  files.open([{ name: "a", text: JSON.stringify([span("1", { b: "x", Ab: "y" }), span("2", { b: "z", a: "1", ["k".repeat(257)]: "" }), span("3", {})]) }]);
  const id = files.list()[0]!.id, t = files.skeleton(id, ["b", "a", "nowhere"]);
  const column = (k: string) => t.columns[`tag:${k}`] && Array.from(t.columns[`tag:${k}`] as Uint32Array, (n) => t.dicts[`tag:${k}`]![n]);
  expect([column("b"), column("a"), column("nowhere")]).toEqual([["x", "z", ""], ["", "1", ""], undefined]);
  expect(files.keys(id, "")).toEqual([{ key: "b", spans: 2 }, { key: "Ab", spans: 1 }, { key: "a", spans: 1 }]);
  expect(files.keys(id, "A").map((k) => k.key)).toEqual(["Ab", "a"]);
  expect(() => files.keys("2", "")).toThrow("not open");
});

describe("40: clocks of hosts, as query/skew_test.go has it", () => {
  const on = (host: string, id: string, parentId: string, from: number, took: number) => ({ traceId: "1", id, ...(parentId && { parentId }), timestamp: 1e6 + from, duration: took, localEndpoint: { serviceName: id, ...(host && { ipv4: host }) } });
  const root = on("10.0.0.1", "1", "", 1000, 100);
  test.each<[string, object[], number[] | null]>([
    ["child inside its parent", [on("10.0.0.2", "2", "1", 1010, 50)], null],
    ["child of another host moves to the middle", [on("10.0.0.2", "2", "1", 1200, 50)], [0, -175]],
    ["child of the same host stays", [on("10.0.0.1", "2", "1", 1200, 50)], null],
    ["hosts without address are all strangers", [on("", "2", "1", 1200, 50)], [0, -175]],
    ["longer than its parent and early: to its start", [on("10.0.0.2", "2", "1", 900, 500)], [0, 100]],
    ["longer than its parent and late: stays", [on("10.0.0.2", "2", "1", 1100, 500)], null],
    ["grandchild of the same host moves along", [on("10.0.0.2", "2", "1", 1200, 50), on("10.0.0.2", "3", "2", 1300, 1)], [0, -175, -175]],
    ["however far", [on("10.0.0.2", "2", "1", 5_000_000, 50)], [0, -4_998_975]],
    ["unknown parent", [on("10.0.0.2", "2", "9", 1200, 50)], null],
  ])("%s", (_, spans, want) => {
    const files = new Files();
    files.open([{ name: "a", text: JSON.stringify([root, ...spans]) }]);
    const t = files.skeleton(files.list()[0]!.id);
    expect(t.shift && Array.from(t.shift as Float64Array)).toEqual(want);
  });
  test("Jaeger keeps a host's address with the process", () => {
    const files = new Files();
    const process = (ip: string) => ({ serviceName: "s", tags: [{ key: "ip", type: "string", value: ip }] });
    const span = (spanID: string, startTime: number, duration: number, processID: string, parent?: string) => ({ traceID: "1", spanID, operationName: "o", startTime, duration, processID, references: parent ? [{ refType: "CHILD_OF", traceID: "1", spanID: parent }] : [] });
    files.open([{ name: "a", text: JSON.stringify({ data: [{ traceID: "1", processes: { p1: process("10.0.0.1"), p2: process("10.0.0.2") }, spans: [span("1", 1000, 100, "p1"), span("2", 1200, 50, "p1", "1"), span("3", 1300, 50, "p2", "1"), span("4", 1310, 1, "p2", "3")] }] }) }]);
    expect(Array.from(files.skeleton(files.list()[0]!.id).shift as Float64Array)).toEqual([0, 0, -275, -275]);
  });
});
