import { describe, expect, test } from "vitest";
import { readConfig, safeURL } from "./config";
import { lookbackChoices } from "./explore/state";
import { order } from "./trace/detail";

const usual = readConfig("{}");

describe("13: Jaeger's ui-config.json", () => {
  test("as Jaeger's own documentation has it", () => {
    const c = readConfig(JSON.stringify({
      dependencies: { dagMaxNumServices: 200, menuEnabled: false },
      monitor: { menuEnabled: true },
      archiveEnabled: true,
      tracking: { gaID: "UA-000000-2", trackErrors: true },
      menu: [{ label: "About", items: [{ label: "Documentation", url: "https://example.com/docs" }, { label: "for its own sake" }] }, { label: "Kiali", url: "/kiali", anchorTarget: "_self" }],
      search: { maxLookback: { label: "5 days", value: "5d" }, maxLimit: 500, defaultLookback: "6h", adjustEndTime: "30s" },
      linkPatterns: [{ type: "process", key: "jaeger.version", url: "https://example.com/#{jaeger.version}", text: "release" }],
      topTagPrefixes: ["http.", "Zone"], traceIdDisplayLength: 12, disableFileUploadControl: true, disableJsonView: true,
    }));
    expect(c).toMatchObject({ map: false, services: true, upload: false, jsonView: false, lookback: "6h", maxLimit: 500, adjustEnd: 30e6, idLength: 12, topTags: ["http.", "zone"], maxLookback: { value: "5d", label: "5 days" } });
    expect(c.menu).toEqual([
      { label: "About", items: [{ label: "Documentation", url: "https://example.com/docs", target: "_blank" }, { label: "for its own sake", url: "", target: "_blank" }] },
      { label: "Kiali", url: "/kiali", target: "_self" },
    ]);
    expect(c.linkPatterns.length).toBe(1);
  });
  test("forbidNewPage keeps every link in this page", () => {
    expect(readConfig('{"forbidNewPage":true,"menu":[{"label":"a","url":"/a","anchorTarget":"_blank"}]}').menu[0]).toMatchObject({ target: "_top" });
  });
  test.each(["", "null", "[]", "7", '"x"', "{{config}}", "{", '{"unknown":{"deep":[1]}}'])("nothing usable is as good as nothing: %s", (text) => {
    expect(readConfig(text)).toEqual(usual);
  });
  test("wrong types and hostile values harm nothing", () => {
    const wrong = { menu: "x", linkPatterns: {}, search: [1], dependencies: null, topTagPrefixes: [1, null, "", {}], traceIdDisplayLength: "9", disableJsonView: "yes", monitor: 1, themes: "dark", criticalPathEnabled: 0 };
    expect(readConfig(JSON.stringify(wrong))).toEqual(usual);
    const c = readConfig(JSON.stringify({ menu: [null, 1, {}, { label: "bad", url: "javascript:alert(1)" }, { label: "g", items: [{}, { label: "data", url: "data:text/html,x" }] }], search: { maxLimit: 1e9, maxLookback: { value: "forever" }, defaultLookback: "soon" }, traceIdDisplayLength: -3 }));
    expect(c.menu).toEqual([{ label: "bad", url: "", target: "_blank" }, { label: "g", items: [{ label: "data", url: "", target: "_blank" }] }]);
    expect(c).toMatchObject({ maxLimit: 1500, maxLookback: null, lookback: "1h", idLength: 1 });
  });
});

test("links lead over HTTP or stay here", () => {
  for (const ok of ["https://a/b", "HTTP://a", "/x", "x?y=1", "//other/x", "#z", "../y"]) expect(safeURL(ok), ok).toBe(ok);
  for (const bad of ["javascript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:x", "http://["]) expect(safeURL(bad), bad).toBe("");
});

test("13: no look-back beyond the longest, which has its own name", () => {
  const values = (max: Parameters<typeof lookbackChoices>[0]) => lookbackChoices(max).map((c) => c.value);
  expect(values(null).at(-1)).toBe("4w");
  expect(values({ value: "3h", label: "" })).toEqual(["5m", "15m", "30m", "1h", "2h", "3h"]);
  expect(lookbackChoices({ value: "1d", label: "day" }).slice(-2)).toEqual([{ value: "12h", label: "Last 12 hours" }, { value: "24h", label: "Last day" }]);
  expect(lookbackChoices({ value: "90d", label: "quarter" }).slice(-2)).toEqual([{ value: "4w", label: "Last 4 weeks" }, { value: "90d", label: "Last quarter" }]);
});

test("13: topTagPrefixes come first, in their order, then what an operator looks for", () => {
  const tags = ["a", "zone.b", "error", "zone.a", "http.url", "http.method"].map((key) => ({ key, type: "string", value: "" }));
  expect(order(tags, ["zone.", "http."]).map((t) => t.key)).toEqual(["zone.a", "zone.b", "http.method", "http.url", "error", "a"]);
  expect(order(tags, []).map((t) => t.key)).toEqual(["error", "http.method", "http.url", "a", "zone.a", "zone.b"]);
});
