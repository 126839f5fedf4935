import { describe, expect, test } from "vitest";
import type { Summary } from "../api";
import { actionOf, exploreHelp, exploreKeys } from "./keys";
import { countFacet, facets, readChoices, refine, writeChoice } from "./facets";
import { readBrush, readSearch, withRange, writeBrush, writeSearch } from "./state";
import { mergeTraces } from "./tail";

const read = (q: string) => readSearch(new URLSearchParams(q));
const now = 1_795_434_628_000_000;

describe("links as Jaeger and its friends write them", () => {
  test("2: a service alone gets the usual look-back, written out", () => {
    const s = withRange(read("service=reviews.default"), now);
    expect(s).toMatchObject({ service: "reviews.default", lookback: "1h", limit: 20, end: now, start: now - 3600e6 });
    expect(writeSearch(s).toString()).toBe(`end=${now}&limit=20&lookback=1h&service=reviews.default&start=${now - 3600e6}`);
  });
  test("3: a look-back alone, a range alone", () => {
    expect(withRange(read("service=a&lookback=2d"), now).start).toBe(now - 2 * 86_400e6);
    expect(read(`start=${now - 3600e6}&end=${now}`).lookback).toBe("1h");
    expect(read(`start=${now - 1234e6}&end=${now}`).lookback).toBe("custom");
  });
  test("4: tags as JSON and as the old tag=key:value", () => {
    expect(read(`tags=${encodeURIComponent('{"http.status_code":"503","n":5}')}&tag=a:b:c`).tags).toEqual({ "http.status_code": "503", n: "5", a: "b:c" });
    expect(read("tags=nonsense").problem).toMatchObject({ param: "tags" });
    expect(read("tags=[1]").problem).toMatchObject({ param: "tags" });
  });
  test("5: words for all, and parameters without a value", () => {
    expect(read("service=__all_services__&operation=all&maxDuration&minDuration&limit=20")).toMatchObject({ service: "", operation: "", minDuration: "", maxDuration: "", limit: 20 });
    expect(read("operation=__all_operations__").operation).toBe("");
  });
  test("6: trace ids alone", () => {
    expect(writeSearch(read("traceID=A&traceID=B")).toString()).toBe("traceID=A&traceID=B");
  });
  test("hostile numbers fall back", () => {
    expect(read("limit=-4&start=abc&lookback=99y")).toMatchObject({ limit: 1, start: null, lookback: "1h" });
    expect(read("limit=1e9").limit).toBe(1500);
  });
});

const trace = (id: string, part: Partial<Summary> = {}): Summary => ({ id, start: 100, duration: 10, spans: 1, errors: 0, orphans: 0, roots: 1, root: { id: "1", service: "a", operation: "op", kind: "", duration: 10, error: false }, services: [{ name: "a", spans: 1, errors: 0 }], matched: 100, ...part });

describe("19: facets", () => {
  const all = [trace("1", { errors: 1, flags: { "URX,UF": 1 }, statuses: { 503: 1 } }), trace("2", { statuses: { 200: 1 } }), trace("3", { services: [{ name: "b", spans: 1, errors: 0, revisions: ["v2"] }] })];
  test("count over the result", () => {
    const f = facets.find((x) => x.key === "service")!;
    expect(countFacet(f, all)).toEqual([["a", 2], ["b", 1]]);
  });
  test("include and exclude, and back from the address", () => {
    const choices = readChoices(new URLSearchParams(["facet=service:a", "facet=-outcome:with errors", "facet=nonsense:x"].join("&")));
    expect(choices.map(writeChoice)).toEqual(["service:a", "-outcome:with errors"]);
    expect(refine(all, choices, null).map((t) => t.id)).toEqual(["2"]);
  });
  test("18: a brush is a box of time and duration", () => {
    const b = readBrush(writeBrush({ x0: 50, x1: 150.4, y0: 0, y1: 9 }));
    expect(refine(all, [], b)).toEqual([]);
    expect(refine(all, [], { ...b!, y1: 11 }).length).toBe(3);
    expect(readBrush("1,2,x,4")).toBeNull();
  });
});

test("22: arrivals replace what they renew and go before the rest", () => {
  const merged = mergeTraces([trace("1"), trace("2")], [trace("2", { spans: 5 }), trace("3")]);
  expect(merged.map((t) => [t.id, t.spans])).toEqual([["3", 1], ["1", 1], ["2", 5]]);
});

test("32: each key of the list means one thing, and the help lists every one", () => {
  const all = Object.values(exploreKeys).flatMap((k) => k.keys);
  expect(new Set(all).size).toBe(all.length);
  expect([actionOf("j"), actionOf("ArrowDown"), actionOf("k"), actionOf("]"), actionOf("q")]).toEqual(["down", "down", "up", "newer", undefined]);
  expect(exploreHelp.map(([keys]) => keys)).toEqual(["j ↓", "k ↑", "x", "c", "1", "2", "3", "[", "]", "r", "l", "Enter · Shift Enter"]);
});
