import { describe, expect, test } from "vitest";
import type { SpanDetail, Tag } from "../api";
import { skeleton, twoHops } from "./fixture";
import { ancestors, compile, tagLinks, traceLinks } from "./links";

const tag = (key: string, value: unknown): Tag => ({ key, type: typeof value, value });
const t = twoHops();
const span = (part: Partial<SpanDetail> = {}): SpanDetail => ({ id: "0000000000000003", view: "0000000000000003", service: "page", operation: "GET /", start: 1_600_000_000_000_000, startNs: "", duration: 50, tags: [], ...part });
const of = (pattern: object, kind: "tags" | "process" | "logs", x: Tag, items = [x], chain = [span({ tags: items })]) => tagLinks(kind, x, items, chain, t, compile([pattern])).links;

describe("14: linkPatterns", () => {
  test("a tag's link, with its values encoded in the address and not in the text", () => {
    const x = tag("user", "a b/ä?#&");
    expect(of({ type: "tags", key: "user", url: "https://logs.example.com/?u=#{user}&t=#{trace.traceID}", text: "logs of #{user}" }, "tags", x)).toEqual([{ url: `https://logs.example.com/?u=a%20b%2F%C3%A4%3F%23%26&t=${t.id}`, text: "logs of a b/ä?#&" }]);
  });
  test("each type has its own tags; OpenTelemetry's names mean the same", () => {
    const p = (type: unknown) => ({ type, key: "k", url: "/x/#{k}", text: "x" });
    for (const [kind, other] of [["tags", "attributes"], ["process", "resource"], ["logs", "events"]] as const) {
      for (const type of [kind, other, [kind, "traces"], undefined]) expect(of(p(type), kind, tag("k", 1)), `${type}`).toEqual([{ url: "/x/1", text: "x" }]);
      expect(of(p("traces"), kind, tag("k", 1))).toEqual([]);
    }
  });
  test("key and value: a text, any of a list, or anything", () => {
    const p = (part: object) => ({ type: "tags", url: "/#{k}", text: "x", ...part });
    const hit = (part: object, x = tag("k", "v")) => of(p(part), "tags", x).length;
    expect([hit({ key: "k" }), hit({ key: ["a", "k"] }), hit({}), hit({ key: "K" }), hit({ value: "v" }), hit({ value: ["w"] }), hit({ value: [true] }, tag("k", true))]).toEqual([1, 1, 1, 0, 1, 0, 1]);
    expect([hit({ key: {} }), hit({ key: 1 }), hit({ url: 1 }), hit({ text: null })]).toEqual([0, 0, 0, 0]);
    expect(compile([null, 1, "x", []])).toEqual([]);
  });
  test("a missing parameter means no link", () => {
    expect(of({ type: "tags", key: "k", url: "/#{k}/#{nowhere}", text: "x" }, "tags", tag("k", 1))).toEqual([]);
    expect(of({ type: "tags", key: "k", url: "/#{k}", text: "#{nowhere}" }, "tags", tag("k", 1))).toEqual([]);
    expect(of({ type: "tags", key: "k", url: "/#{trace.nowhere}", text: "x" }, "tags", tag("k", 1))).toEqual([]);
    expect(of({ type: "tags", key: "k", url: "/#{toString}#{trace.constructor}", text: "x" }, "tags", tag("k", 1))).toEqual([]);
    expect(of({ type: "tags", key: "k", url: "/#{k}", text: "x" }, "tags", tag("k", ""))).toEqual([{ url: "/", text: "x" }]); // empty is a value
  });
  test("looked for beside the tag, in the span, its process, then those above it", () => {
    const p = { type: "logs", key: "event", url: "/#{event}/#{field}/#{tag}/#{proc}/#{far}/#{spanID}/#{operationName}/#{duration}", text: "x" };
    const items = [tag("event", "e"), tag("field", "f"), tag("tag", "beside")];
    const chain = [span({ tags: [tag("tag", "own"), tag("proc", "p1")], process: [tag("proc", "p2")] }), span({ id: "2", view: "2", tags: [tag("tag", "above")] }), span({ id: "1", view: "1", process: [tag("far", "found")] })];
    expect(of(p, "logs", items[0]!, items, chain)).toEqual([{ url: "/e/f/beside/p1/found/0000000000000003/GET%20%2F/50", text: "x" }]);
    expect(tagLinks("logs", items[0]!, items, chain.slice(0, 1), t, compile([p]))).toEqual({ links: [], missing: true });
    expect(tagLinks("logs", items[1]!, items, chain.slice(0, 1), t, compile([p]))).toEqual({ links: [], missing: false }); // no pattern is for it
  });
  test("of a process only its own tags and the trace count", () => {
    const x = tag("ip", "10.0.0.1");
    const chain = [span({ tags: [tag("tag", 1)] })];
    expect(of({ type: "process", key: "ip", url: "/#{ip}/#{tag}", text: "x" }, "process", x, [x], chain)).toEqual([]);
    expect(of({ type: "process", key: "ip", url: "/#{ip}/#{trace.duration}", text: "x" }, "process", x, [x], chain)).toEqual([{ url: "/10.0.0.1/100", text: "x" }]);
  });
  test("fields that Jaeger has as tags", () => {
    expect(of({ type: "tags", key: "k", url: "/#{span.kind}/#{error}", text: "x" }, "tags", tag("k", 1), [], [span({ kind: "client", error: true })])).toEqual([{ url: "/client/true", text: "x" }]);
  });
  test("a trace's link: Jaeger's five parameters", () => {
    const made = traceLinks(t, compile([
      { type: "traces", url: "https://x/#{traceID}/#{traceName}/#{duration}/#{startTime}/#{endTime}", text: "#{traceName}" },
      { type: "traces", url: "/#{trace.traceID}", text: "y" },
      { type: "traces", url: "/#{user}", text: "no traces have users" },
      { type: "tags", url: "/#{traceID}", text: "not for traces" },
    ]));
    expect(made).toEqual([{ url: `https://x/${t.id}/gateway%3A%20op/100/1700000000000000/1700000000000100`, text: "gateway: op" }, { url: `/${t.id}`, text: "y" }]);
    expect(traceLinks(skeleton([]), compile([{ type: "traces", url: "/#{traceID}", text: "z" }])).length).toBe(1);
  });
  test("functions, one after the other; those that do not fit leave the value alone", () => {
    const of1 = (template: string, x = tag("k", "7")) => of({ type: "tags", key: "k", url: "/" + template, text: "x" }, "tags", x)[0]?.url.slice(1);
    expect(of1("#{startTime | epoch_micros_to_date_iso}")).toBe("2020-09-13T12%3A26%3A40.000Z");
    expect(of1("#{trace.startTime|add -60000000|epoch_micros_to_date_iso}")).toBe("2023-11-14T22%3A12%3A20.000Z");
    expect(of1("#{k | pad_start 4 0}")).toBe("0007");
    expect(of1("#{k|pad_start 4 0 | pad_start 6 x}")).toBe("xx0007");
    expect(of1("#{duration | add 5}")).toBe("55");
    expect([of1("#{k | add 5}"), of1("#{duration | pad_start 4 0}"), of1("#{k | epoch_micros_to_date_iso}"), of1("#{k | shout | pad_start 2 0}"), of1("#{k | pad_start 1000000000 0}"), of1("#{duration | add many}"), of1("#{k | constructor}")]).toEqual(["7", "50", "7", "07", "7", "50", "7"]);
    expect(of1("#{k | epoch_micros_to_date_iso}", tag("k", 1e300))).toBe("1e%2B300");
  });
  test("values of any kind; half a surrogate pair stops nothing", () => {
    const url = (v: unknown) => of({ type: "tags", key: "k", url: "/#{k}", text: "x" }, "tags", tag("k", v))[0]?.url;
    expect([url(true), url(1.5), url([1, "a"]), url("a\ud800b"), url("😀")]).toEqual(["/true", "/1.5", "/%5B1%2C%22a%22%5D", "/a%EF%BF%BDb", "/%F0%9F%98%80"]);
  });
  test("nothing but HTTP and relative addresses", () => {
    const url = (template: string, v = "javascript:alert(1)") => of({ type: "tags", key: "k", url: template, text: "x" }, "tags", tag("k", v)).map((l) => l.url);
    expect(url("javascript:alert(#{k})")).toEqual([]);
    expect(url(" javascript:#{k}")).toEqual([]);
    expect(url("data:text/html,#{k}")).toEqual([]);
    expect(url("#{k}")).toEqual(["javascript%3Aalert(1)"]); // a relative address
    expect(url("#{k}:alert(1)", "javascript")).toEqual([]);
    expect(url("https://a/#{k}")).toEqual(["https://a/javascript%3Aalert(1)"]);
  });
});

test("those above a row, the nearest first, and not without end", () => {
  expect(ancestors(t, 3)).toEqual([2, 1, 0]);
  expect(ancestors(skeleton(Array.from({ length: 500 }, (_, i) => ({ parent: i - 1 }))), 499).length).toBe(100);
});
