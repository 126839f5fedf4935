import { describe, expect, test } from "vitest";
import { skeleton, twoHops } from "./fixture";
import { layout } from "./rows";
import { allowed, byName, checksum, decode, encode, rootServices } from "./svcfilter";

describe("11: svcFilter", () => {
  const names = ["api", "auth", "cache", "db"];
  // computed apart from this code, as Jaeger UI computes them: 16 bits, 0x811c, (h ^ unit) * 0x101
  test.each([[names, "7d06"], [["api", "db"], "3562"], [["db", "api"], "1562"], [[""], "811c"], [["frontend"], "9012"], [["la"], "211"], [["café", "😀"], "7eac"], [["details.default", "istio-ingressgateway.istio-system", "productpage.default", "ratings.default", "reviews.default"], "463f"]])("checksum of %j", (n, want) => {
    expect(checksum(n)).toBe(want);
  });
  test("bit i is the i-th name; all shown needs no parameter", () => {
    expect(encode(names, new Set(["auth", "cache"]))).toBe("7d06.9");
    expect(encode(names, new Set())).toBeNull();
    expect(encode(names, new Set(["elsewhere"]))).toBeNull();
    const many = Array.from({ length: 70 }, (_, i) => `s${String(i).padStart(2, "0")}`);
    expect(encode(many, new Set(many.slice(0, 69)))).toBe(`${checksum(many)}.2${"0".repeat(17)}`);
  });
  test("is read back, and what cannot be read or is of other services is not", () => {
    expect(decode(names, "7d06.9")).toEqual(new Set(["auth", "cache"]));
    expect(decode(names, "7d06.f9")).toEqual(new Set(["auth", "cache"])); // bits beyond the services
    expect(decode(names, "7d06.f")).toEqual(new Set());
    for (const bad of ["", "7d06", ".9", "7d06.", "7d06.x", "7d06.0", "7d06.10", "7d07.9", "07d06.9", "7D06.9"]) expect(decode(names, bad), bad).toBeNull();
    expect(decode([...names, "new"], "7d06.9")).toBeNull();
    expect(decode([], "811c.1")).toBeNull();
  });
  test("names are sorted by UTF-16, as by JavaScript's sort", () => {
    expect(byName(["b", "B", "\u{1F600}", "\uFFFD", "a"])).toEqual(["B", "a", "b", "\u{1F600}", "\uFFFD"]);
  });
  test("something is left to begin with", () => {
    const hidden = (h: string[], roots: string[]) => [...allowed(new Set(h), new Set(roots))];
    expect(hidden(["a", "b"], ["a"])).toEqual(["b"]);
    expect(hidden(["a", "c"], ["a", "b"])).toEqual(["a", "c"]);
    expect(hidden(["a", "b", "c"], ["a", "b"])).toEqual([]);
    expect(rootServices(skeleton([{ service: "a" }, { parent: 0, service: "b" }, { service: "c" }, { service: "a" }]))).toEqual(new Set(["a", "c"]));
  });
});

test("11: a hidden service takes along what it called; the spans are counted", () => {
  const t = twoHops(); // gateway → page → reviews, page → nowhere (failed)
  const rows = (service: string, hops: boolean) => {
    const l = layout(t, { hops, similar: false, collapsed: new Uint8Array(t.n), openGroups: new Set(), keep: null, without: Uint8Array.from(t.services, (s) => (s === service ? 1 : 0)) });
    return [[...l.rows], l.pruned];
  };
  expect(rows("reviews", false)).toEqual([[0, 1, 2, -1, 4], { spans: 1, errors: 0 }]);
  expect(rows("reviews", true)).toEqual([[0, 2, -1, 4], { spans: 1, errors: 0 }]);
  expect(rows("page", false)).toEqual([[0, -1], { spans: 4, errors: 1 }]);
  expect(rows("page", true)).toEqual([[0, -1], { spans: 4, errors: 1 }]);
});
