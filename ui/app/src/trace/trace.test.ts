import { describe, expect, test } from "vitest";
import { criticalPath } from "./critical";
import { skeleton, twoHops } from "./fixture";
import { rowText } from "./names";
import { collapseAll, collapseLevel, errorRows, indexOf, layout, mostlyPairs, readCollapsed, reveal, type Shown, writeCollapsed } from "./rows";
import { decode, hex, rowsOf, text } from "./skeleton";
import { keyOf, percentile, selfTimes, statistics } from "./stats";
import { type Standing, standingText } from "./standing";
import { subtree } from "./subtree";

const shown = (n: number, part: Partial<Shown> = {}): Shown => ({ hops: false, similar: false, collapsed: new Uint8Array(n), openGroups: new Set(), keep: null, ...part });

describe("rows", () => {
  test("44: folding turns two pairs into two hops, and what follows moves up", () => {
    const t = twoHops();
    const l = layout(t, shown(t.n, { hops: true }));
    expect([...l.rows]).toEqual([0, 2, 4]);
    expect([...l.rows].map((r) => l.level[r])).toEqual([0, 1, 1]);
    expect([...layout(t, shown(t.n)).rows]).toEqual([0, 1, 2, 3, 4]);
    expect(mostlyPairs(t)).toBe(true);
  });
  test("a hop names both sides, with the revision that answered", () => {
    const t = twoHops();
    expect(rowText(t, 2)).toMatchObject({ who: "page", to: "reviews v2" });
    expect(rowText(t, 4)).toMatchObject({ who: "page", flags: "URX,UF" });
  });
  test("collapsed rows hide all below them", () => {
    const t = twoHops();
    const o = shown(t.n);
    o.collapsed[1] = 1;
    expect([...layout(t, o).rows]).toEqual([0, 1]);
  });
  test("34: a filter keeps what leads to a match, through a folded half as well", () => {
    const t = twoHops();
    const keep = Uint8Array.from([0, 0, 0, 1, 0]);
    expect([...layout(t, shown(t.n, { keep })).rows]).toEqual([0, 1, 2, 3, -1]);
    expect([...layout(t, shown(t.n, { keep, hops: true })).rows]).toEqual([0, 2, -1]);
    expect([...layout(t, shown(t.n, { keep: new Uint8Array(t.n) })).rows]).toEqual([]);
  });
  test("34: what is left out below one parent is one row, which tells how many and opens", () => {
    const t = skeleton([{}, { parent: 0, flags: 1 }, { parent: 1, flags: 1 }, { parent: 0 }, { parent: 3 }, { parent: 0 }, { service: "other" }]);
    const keep = Uint8Array.from([0, 0, 0, 1, 0, 0, 0]);
    const l = layout(t, shown(t.n, { keep }));
    expect([...l.rows]).toEqual([0, -1, 3, -2, -3]);
    expect(l.groups.map((g) => [g.first, g.hidden, g.errors])).toEqual([[1, { parent: 0, spans: 3 }, 2], [4, { parent: 3, spans: 1 }, 0], [6, { parent: -1, spans: 1 }, 0]]);
    expect([1, 4, 6].map((r) => l.level[r])).toEqual([1, 2, 0]);
    expect([l.spans, [...l.out!]]).toEqual([2, [0, 1, 1, 0, 1, 1, 1]]);
    const opened = layout(t, shown(t.n, { keep, openPlaces: new Set([0]) }));
    expect([...opened.rows]).toEqual([0, -1, 1, 2, 3, -2, 5, -3]);
    expect([indexOf(opened, 1), indexOf(opened, 5), [...opened.out!]]).toEqual([2, 6, [0, 0, 0, 0, 1, 0, 1]]);
    expect(opened.groups[0]!.hidden!.spans).toBe(3);
  });
  test("34: with pairs folded, what is left out stands below the call; revealing finds it", () => {
    const t = twoHops();
    const keep = Uint8Array.from([0, 0, 0, 0, 1]), o = shown(t.n, { keep, hops: true, openPlaces: new Set() });
    const l = layout(t, o);
    expect([[...l.rows], l.groups[0]!.hidden, l.level[2]]).toEqual([[0, -1, 4], { parent: 0, spans: 2 }, 1]);
    reveal(t, l, o.collapsed, o.openGroups, 2, o.openPlaces);
    expect([...layout(t, o).rows]).toEqual([0, -1, 2, 4]);
  });
  test("similar siblings become one row that opens; failed ones stay apart", () => {
    const rows = [{ took: 100 }, ...Array.from({ length: 7 }, (_, i) => ({ parent: 0, from: i * 10, service: "redis", flags: i === 3 ? 1 : 0 }))];
    const t = skeleton(rows);
    const l = layout(t, shown(t.n, { similar: true }));
    expect([...l.rows]).toEqual([0, -1, 4]);
    expect(l.groups[0]!.rows).toEqual([1, 2, 3, 5, 6, 7]);
    expect(indexOf(l, 4)).toBe(2);
    expect(layout(t, shown(t.n, { similar: true, openGroups: new Set([1]) })).rows.length).toBe(9);
  });
  test("17: what is collapsed comes back from the address, whether it is little or nearly all", () => {
    const t = skeleton(Array.from({ length: 2001 }, (_, i) => (i ? { parent: i % 2 ? 0 : i - 1 } : {})));
    const back = (c: Uint8Array) => {
      const read = new Uint8Array(t.n), text = writeCollapsed(t, c);
      if (text !== null) readCollapsed(t, read, text);
      return { text, same: read.join() === c.join() };
    };
    const c = new Uint8Array(t.n);
    expect(back(c)).toEqual({ text: null, same: true });
    c[1] = c[37] = 1;
    expect(back(c)).toEqual({ text: "1.11", same: true });
    collapseAll(t, c, true);
    expect(back(c)).toEqual({ text: "-", same: true });
    c[0] = c[37] = 0;
    expect(back(c)).toEqual({ text: "-0.11", same: true });
    for (let r = 1; r < 1000; r += 2) c[r] = 0;
    expect(back(c).text).toBeNull(); // an address holds neither
    for (const hostile of ["-", "zzzzzz", "-1e9.x", "..", "-.-"]) expect(() => readCollapsed(t, new Uint8Array(t.n), hostile)).not.toThrow();
  });
  test("30: levels collapse from below and expand from above", () => {
    const t = twoHops();
    const o = shown(t.n);
    collapseLevel(t, layout(t, o), o.collapsed, true);
    expect([...layout(t, o).rows]).toEqual([0, 1, 2, 4]);
    collapseAll(t, o.collapsed, true);
    expect([...layout(t, o).rows]).toEqual([0]);
    collapseLevel(t, layout(t, o), o.collapsed, false);
    expect([...layout(t, o).rows]).toEqual([0, 1]);
    reveal(t, layout(t, o), o.collapsed, o.openGroups, 3);
    expect([...layout(t, o).rows]).toContain(3);
  });
  test("33: errors are listed once each, in order", () => {
    expect(errorRows(twoHops())).toEqual([4]);
  });
  test("38: a chain of 100,000 and no duration at all do not overflow", () => {
    const t = skeleton(Array.from({ length: 20_000 }, (_, i) => ({ parent: i - 1, took: 0 })));
    expect(layout(t, shown(t.n)).rows.length).toBe(20_000);
    expect(criticalPath(t).row.length).toBe(0);
    expect(selfTimes(t)[0]).toBe(0);
  });
});

describe("36: the critical path is as long as the trace", () => {
  const total = (t: ReturnType<typeof skeleton>) => {
    const p = criticalPath(t);
    return p.from.reduce((s, f, i) => s + p.to[i]! - f, 0);
  };
  const cases: Record<string, Parameters<typeof skeleton>[0]> = {
    "one after the other": [{ took: 100 }, { parent: 0, from: 10, took: 30 }, { parent: 0, from: 50, took: 40 }],
    "side by side": [{ took: 100 }, { parent: 0, from: 10, took: 80 }, { parent: 0, from: 20, took: 30 }],
    "a child that outlives its parent": [{ took: 100 }, { parent: 0, from: 50, took: 100 }],
    "a child before its parent": [{ from: 50, took: 50 }, { parent: 0, from: 10, took: 60 }],
    "three levels": [{ took: 100 }, { parent: 0, from: 10, took: 80 }, { parent: 1, from: 20, took: 60 }, { parent: 2, from: 30, took: 10 }],
  };
  for (const [name, rows] of Object.entries(cases))
    test(name, () => {
      expect(total(skeleton(rows))).toBe(rows[0]!.took);
    });
  test("of two at once it follows the one that ended last", () => {
    const p = criticalPath(skeleton(cases["side by side"]!));
    expect(Array.from(p.of(1), (i) => [p.row[i], p.from[i], p.to[i]])).toEqual([[1, 10, 90]]);
    expect(p.of(2).length).toBe(0);
    expect(Array.from(p.of(0), (i) => [p.from[i], p.to[i]])).toEqual([[90, 100], [0, 10]]);
  });
});

describe("42: statistics", () => {
  test("self time is what no child covers, overlapping children counted once", () => {
    const t = skeleton([{ took: 100 }, { parent: 0, from: 10, took: 30 }, { parent: 0, from: 20, took: 30 }, { parent: 0, from: 90, took: 50 }]);
    expect([...selfTimes(t)]).toEqual([50, 30, 30, 50]);
  });
  test("groups count, add up and rank", () => {
    const t = skeleton([{ took: 100 }, ...[1, 2, 3, 4].map((k) => ({ parent: 0, from: k, took: k * 10, service: "b", flags: k === 4 ? 1 : 0 }))]);
    const b = statistics(t, keyOf(t, "service")).find((s) => s.key === "b")!;
    expect(b).toMatchObject({ count: 4, errors: 1, total: 100, avg: 25, min: 10, max: 40, p50: 20, p95: 40 });
    expect(percentile([], 50)).toBeNaN();
  });
  test("by revision", () => {
    expect(statistics(twoHops(), keyOf(twoHops(), "revision")).map((s) => s.key)).toContain("reviews v2");
  });
});

test("a skeleton is read without copying, and anything else is refused", () => {
  const head = JSON.stringify({ id: "ab", start: 5, duration: 7, rows: 2, errors: 0, depth: 2, roots: 1, orphans: 0, kinds: [""], dicts: { service: ["s"], operation: ["o"] }, columns: [{ name: "parent", type: "i32", offset: 0 }, { name: "id", type: "u64", offset: 8 }, { name: "service", type: "u8", offset: 24, dict: "service" }] });
  const h = head.padEnd(Math.ceil((head.length + 12) / 8) * 8 - 12);
  const buf = new ArrayBuffer(12 + h.length + 32);
  new Uint8Array(buf).set(new TextEncoder().encode("SPSKEL1\n" + "    " + h));
  new DataView(buf).setUint32(8, h.length, true);
  new Int32Array(buf, 12 + h.length, 2).set([-1, 0]);
  new BigUint64Array(buf, 12 + h.length + 8, 2).set([255n, 1n]);
  const t = decode(buf);
  expect([t.n, Array.from(t.parent), t.services]).toEqual([2, [-1, 0], ["s"]]);
  expect(rowsOf(t, "ff")).toEqual([0]);
  expect(rowsOf(t, "FF")).toEqual([0]);
  expect(rowsOf(t, "zz")).toEqual([]);
  expect(() => decode(new ArrayBuffer(64))).toThrow("load the page again");
});

test("a subtree is a trace of its own", () => {
  const all = twoHops();
  const { t, before } = subtree(all, 1);
  expect(before).toBe(5);
  expect([t.n, t.roots, t.orphans, t.duration, t.start, t.errors, t.depth]).toEqual([4, 1, 0, 90, all.start + 5, 1, 2]);
  expect(Array.from(t.parent as Int32Array)).toEqual([-1, 0, 1, 0]);
  expect(Array.from(t.from as Float64Array)).toEqual([0, 15, 20, 70]);
  expect(Array.from(t.pair as Int32Array)).toEqual([-1, 2, 1, -1]); // the gateway's half is not there
  expect(Array.from({ length: 4 }, (_, r) => t.services[t.service[r]!])).toEqual(["page", "page", "reviews", "page"]);
  expect(text(t, "response", 3)).toBe("URX,UF");
  expect(hex(t.views[0]!)).toBe(hex(all.views[1]!));
  const leaf = subtree(all, 4).t;
  expect([leaf.n, leaf.duration, leaf.services]).toEqual([1, 10, ["page"]]);
});

test("where a duration stands is never rounded to what it is not", () => {
  const say = (spans: number, faster: number, same = 1, complete = true) => standingText({ spans, faster, same, p50: 1000, p95: 2000, scan: { spans: 500, from: 0, complete } } satisfies Standing);
  expect(say(1205, 1120)).toBe("slower than 93 % of 1,204 like it within half an hour: p50 1 ms, p95 2 ms");
  expect(say(10_001, 9999)).toContain("slower than 99.99 % of");
  expect(say(10_001, 1)).toContain("slower than 0.01 % of");
  expect(say(11, 10)).toContain("slower than all 10 like it");
  expect(say(11, 0)).toContain("slower than none of 10 like it");
  expect(say(1, 0)).toBe("no other span like it within half an hour");
  expect(say(10, 4, 0, false)).toContain("40 % of 10 like it within half an hour (of the 500 spans looked at)");
});
