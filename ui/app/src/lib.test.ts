import { describe, expect, test } from "vitest";
import { merge } from "./compare-merge";
import { typing } from "./complete";
import { searchOf } from "./errors";
import { ago, bytes, count, exact, rate, duration, goDuration, inputTime, parseDuration, parseInputTime, percent, timestamp } from "./format";
import { layered } from "./graph-layout";
import { findTraceID } from "./ids";
import { condition, formatLogfmt, LogfmtError, parseLogfmt } from "./logfmt";
import { around, byNamespace } from "./map";
import { moved } from "./moved";
import { describeUpstream, explainFlags, flags, parseNode, parseUpstream, shortOperation, splitFlags, splitService, workload } from "./mesh";
import { skeleton, twoHops } from "./trace/fixture";
import { serviceColors } from "./theme-colors";

describe("format", () => {
  test.each([[0, "0 µs"], [0.25, "250 ns"], [999.4, "999 µs"], [999.6, "1 ms"], [1234, "1.23 ms"], [14_766, "14.8 ms"], [999_499, "999 ms"], [1e6, "1 s"], [61e6, "61 s"], [125e6, "2 m 5 s"], [7300e6, "2 h 1 m"], [3600e6, "1 h"], [3660e6, "61 m"], [7200e6, "2 h"], [172_800e6, "2 d"], [200_000e6, "2 d 7 h"], [NaN, "–"], [-1500, "-1.5 ms"]])("%d µs", (us, want) => expect(duration(us)).toBe(want));
  test("54: times in UTC and back", () => {
    const us = Date.UTC(2026, 10, 24, 5, 6, 7) * 1000 + 89_012;
    expect(timestamp(us, "utc", 6)).toBe("2026-11-24 05:06:07.089012");
    expect(parseInputTime(inputTime(us, "utc"), "utc")).toBe(us - 89_012);
    expect(parseInputTime(inputTime(us, "local"), "local")).toBe(us - 89_012);
    expect(parseInputTime("yesterday", "utc")).toBeNull();
  });
  test("numbers as Intl writes them", () => {
    const whole = new Intl.NumberFormat("en"), short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
    const some = [0, 7, 999, 1000, 12_345, 99_999, 1234.5678, -4321, -1e6, 100_000, 100_049, 100_050, 999_949, 999_950, 1e6, 9_949_999, 12_345_678, 999_999_999, 1e9, 1.25e12, 999e12];
    for (let n = 3; n < 1e14; n = Math.floor(n * 1.37 + 1)) some.push(n);
    expect(some.map(exact)).toEqual(some.map((n) => whole.format(n)));
    expect(some.map(count)).toEqual(some.map((n) => (Math.abs(n) < 100_000 ? whole : short).format(n)));
  });
  test("durations people write", () => {
    expect(["1.2s", "100ms", "500us", "2 m", ".5s"].map(parseDuration)).toEqual([1.2e6, 1e5, 500, 120e6, 5e5]);
    expect(["", "5", "ms", "1s2", "-1s", "1e3ms"].map(parseDuration)).toEqual([null, null, null, null, null, null]);
    expect([goDuration(1.5e6), goDuration(1500), goDuration(7)]).toEqual(["1.5s", "1.5ms", "7us"]);
  });
  test("small things", () => {
    expect([percent(0, 5), percent(1, 3000), percent(1, 8), percent(1, 0), bytes(12), bytes(1_234_567)]).toEqual(["0 %", "<0.1 %", "13 %", "–", "12 B", "1.23 MB"]);
    expect(ago(0, 90e6)).toBe("90 s ago");
    expect([rate(5, 3600e6), rate(300, 3600e6), rate(72, 36e6), rate(0, 1e6), rate(1, 0)]).toEqual(["5/h", "5/min", "2/s", "0", "–"]);
  });
});

describe("16: logfmt", () => {
  test.each<[string, Record<string, string>]>([
    ["error=true", { error: "true" }],
    ['a = b   c="x y"', { a: "b", c: "x y" }],
    ['a="q\\"\\\\" b=c=d', { a: 'q"\\', b: "c=d" }],
    ['"k 1"=v', { "k 1": "v" }],
    ["", {}],
  ])("%s", (text, want) => {
    expect(parseLogfmt(text)).toEqual(want);
    expect(parseLogfmt(formatLogfmt(want))).toEqual(want);
  });
  test.each(["error", "=x", 'a="b', "status>=500", "a!=b"])("refuses %s", (text) => expect(() => parseLogfmt(text)).toThrow(LogfmtError));
  test("conditions quote what needs it", () => {
    expect([condition("a", "=", "b"), condition("k 1", "=", 'x"y'), condition("response_flags", "=", "URX,UF"), condition("a", "=", "-")]).toEqual(["a=b", '"k 1"="x\\"y"', 'response_flags="URX,UF"', 'a="-"']);
  });
});

describe("completion", () => {
  test.each<[string, object]>([
    ["", { kind: "key", prefix: "" }],
    ["resp", { kind: "key", prefix: "resp", from: 0, to: 4 }],
    ["a=b htt", { kind: "key", prefix: "htt", from: 4 }],
    ["!retr", { kind: "key", prefix: "retr", from: 1 }],
    ["http.method=G", { kind: "value", key: "http.method", prefix: "G", from: 12 }],
    ["http.status_code>=5", { kind: "value", key: "http.status_code", prefix: "5", from: 18 }],
    ["a!=", { kind: "value", key: "a", prefix: "", from: 3 }],
    ['op="a b', { kind: "value", key: "op", prefix: "a b", from: 3 }],
    ['x="a b" y', { kind: "key", prefix: "y", from: 8 }],
  ])("%s", (text, want) => expect(typing(text, text.length)).toMatchObject(want));
});

describe("45: response flags", () => {
  test("all 28 have a sentence and a hint", () => {
    expect(Object.keys(flags).length).toBe(28);
    for (const f of Object.values(flags)) expect(f.short.length * f.hint.length).toBeGreaterThan(50);
  });
  test("lists, none, unknown", () => {
    expect(splitFlags("UF,URX")).toEqual(["UF", "URX"]);
    expect([splitFlags("-"), splitFlags(""), splitFlags(undefined)]).toEqual([[], [], []]);
    expect(explainFlags("ZZ")).toBe("ZZ");
  });
});

describe("46: what Envoy writes", () => {
  test.each([
    ["outbound|9080|v2|reviews.default.svc.cluster.local", { direction: "outbound", port: 9080, subset: "v2", service: "reviews", namespace: "default", host: "reviews.default.svc.cluster.local" }],
    ["outbound|9080||details.prod.svc.cluster.local;", { direction: "outbound", port: 9080, service: "details", namespace: "prod", host: "details.prod.svc.cluster.local" }],
    ["outbound_.9080_.v1_.reviews.default.svc.cluster.local", { direction: "outbound", port: 9080, subset: "v1", service: "reviews", namespace: "default", host: "reviews.default.svc.cluster.local" }],
    ["outbound|443||api.example.com", { direction: "outbound", port: 443, host: "api.example.com" }],
    ["inbound|9080||", { direction: "inbound", port: 9080 }],
    ["PassthroughCluster", { special: "passthrough" }],
    ["InboundPassthroughClusterIpv4", { special: "passthrough" }],
    ["BlackHoleCluster", { special: "blackhole" }],
    ["outbound|port||x", {}],
    ["", {}],
  ])("cluster %s", (text, want) => expect(parseUpstream(text)).toEqual(want));
  test("clusters in words", () => {
    expect(describeUpstream(parseUpstream("outbound|9080|v2|reviews.default.svc.cluster.local"))).toBe("reviews v2 :9080");
    expect(describeUpstream(parseUpstream("outbound|80||a.prod.svc.cluster.local"))).toBe("a.prod :80");
    expect(describeUpstream(parseUpstream("inbound|9080||"))).toBe("this pod :9080");
  });
  test.each([
    ["sidecar~10.1.2.3~reviews-v2-6789c8d5f4-bbcd4.default~default.svc.cluster.local", { type: "sidecar", ip: "10.1.2.3", pod: "reviews-v2-6789c8d5f4-bbcd4", namespace: "default", workload: "reviews-v2" }],
    ["router~10.0.0.1~istio-ingressgateway-7d9c66f6d5-h2b9q.istio-system~istio-system.svc.cluster.local", { type: "router", namespace: "istio-system", workload: "istio-ingressgateway" }],
    ["waypoint~::1~waypoint-5b4bc7c8bd-kzc5t.a~a.svc.cluster.local", { type: "waypoint", workload: "waypoint" }],
    ["nonsense", {}],
  ])("node %s", (text, want) => expect(parseNode(text)).toMatchObject(want));
  test("workloads", () => expect([workload("db-0"), workload("plain")]).toEqual(["db", "plain"]));
  test.each([
    ["reviews.default.svc.cluster.local:9080/*", "reviews"],
    ["a.prod.svc.cluster.local:80/api/*", "a.prod /api/*"],
    ["productpage:9080/productpage", "productpage /productpage"],
    ["GET /x", "GET /x"],
    ["grpc.Service/Method", "grpc.Service/Method"],
  ])("operation %s", (op, want) => expect(shortOperation(op)).toBe(want));
  test("services", () => expect([splitService("reviews.default"), splitService("plain"), splitService("a.b.c")]).toEqual([{ name: "reviews", namespace: "default" }, { name: "plain", namespace: "" }, { name: "a.b.c", namespace: "" }]));
});

test("24: trace ids in what people paste", () => {
  const id = "14facecc12388768def783556ee604ae";
  for (const text of [id, id.toUpperCase(), ` ${id} `, `00-${id}-def783556ee604ae-01`, `${id}-def783556ee604ae-1`, `https://x/jaeger/trace/${id}?uiFind=1`, `trace id: ${id} in a log`, "FPrOzBI4h2je94NVbuYErg=="]) expect(findTraceID(text)).toBe(id);
  expect([findTraceID("hello there"), findTraceID(""), findTraceID("0xff")]).toEqual([null, null, "ff"]);
});

describe("43: comparing", () => {
  test("equal traces have no difference", () => {
    for (const m of merge(twoHops(), twoHops(), true)) expect([m.state, m.b.total - m.a.total]).toEqual(["same", 0]);
  });
  test("one more operation is exactly one addition, below its caller", () => {
    const a = skeleton([{ took: 10 }]), b = skeleton([{ took: 15 }, { parent: 0, service: "db", took: 4 }]);
    const m = merge(a, b, false);
    expect(m.map((x) => [x.service, x.level, x.state, x.b.total - x.a.total])).toEqual([["a", 0, "same", 5], ["db", 1, "added", 4]]);
  });
});

describe("49: the map", () => {
  const nodes = ["a", "b", "c", "d"].map((name, i) => ({ name, namespace: i < 2 ? "x" : "y", kind: "service", calls: 1, errors: 0 }));
  const edges = [["a", "b"], ["b", "c"], ["c", "d"]].map(([from, to]) => ({ from: from!, to: to!, calls: 2, errors: 1, timed: 2 }));
  test("steps around a focus", () => expect([...around(nodes, edges, "b", 1)]).toEqual(["a", "b", "c"]));
  test("by namespace", () => {
    const g = byNamespace(nodes, edges);
    expect(g.nodes.map((n) => [n.name, n.calls])).toEqual([["x", 2], ["y", 2]]);
    expect(g.edges.find((e) => e.from === "x" && e.to === "y")).toMatchObject({ calls: 2, errors: 1 });
  });
  test("layers follow calls, and circles do not hang", () => {
    const l = layered(["a", "b", "c"], [{ from: "a", to: "b" }, { from: "b", to: "c" }, { from: "c", to: "a" }, { from: "c", to: "c" }]);
    expect(l.layers).toEqual([["a"], ["b"], ["c"]]);
  });
  test("300 services lay out in less than a second and a half", () => {
    const ids = Array.from({ length: 300 }, (_, i) => `s${i}`);
    const es = ids.flatMap((from, i) => [1, 7, 31].map((k) => ({ from, to: ids[(i * k + k) % 300]! })));
    const l = layered(ids, es);
    expect(l.at.size).toBe(300);
  });
});

test("a group of errors finds its own spans", () => {
  expect(new URLSearchParams(searchOf({ service: "a", operation: "o", kind: "client", status: "503", response: "URX,UF", upstream: "outbound|1||h", spans: 1, first: 0, last: 0, traces: [], series: [] })).get("q")).toBe('http.status_code=503 response_flags="URX,UF" upstream_cluster=outbound|1||h span.kind=client');
});

test("a service keeps its colour, and twelve of a view differ", () => {
  const names = Array.from({ length: 12 }, (_, i) => `svc-${i}`);
  expect(new Set(serviceColors(names)).size).toBe(12);
  expect(serviceColors(["reviews"])).toEqual(serviceColors(["reviews"]));
});

describe("12: addresses of old", () => {
  test.each<[string, string, string | null]>([
    ["", "service=a", "search?service=a"],
    ["topology", "", "dependencies"],
    ["deep-dependencies", "service=a&operation=b", "dependencies?focus=a"],
    ["quality-metrics", "service=a", "mesh"],
    ["monitor", "service=a&spanKind=client&timeframe=3600000", "monitor?service=a&spanKind=client&lookback=1h"],
    ["monitor", "timeframe=172800000", "monitor?lookback=48h"],
    ["monitor", "timeframe=300000", "monitor?lookback=5m"],
    ["monitor", "service=a&timeframe", null],
    ["monitor", "service=a", null],
    ["zipkin", "", "search"],
    ["zipkin/traces/00AB", "", "trace/00ab"],
    ["zipkin/traceViewer", "", "upload"],
    ["zipkin", "serviceName=s&lookback=15m&endTs=1000000&annotationQuery=error and http.method=POST&minDuration=500", "search?start=100000000&end=1000000000&lookback=custom&service=s&minDuration=500us&q=error+http.method%3DPOST"],
    ["zipkin/dependency", "startTime=5&endTime=9", "dependencies?start=5000&end=9000&lookback=custom"],
    ["zipkin/nonsense", "", null],
    ["search", "", null],
  ])("%s?%s", (path, q, want) => expect(moved(path, new URLSearchParams(q))).toBe(want));
});
