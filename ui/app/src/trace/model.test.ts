import { expect, test } from "vitest";
import { type Row, skeleton } from "./fixture";
import { TraceModel } from "./model";
import type { LoadedTrace, Source } from "./source";
import { byName, encode } from "./svcfilter";

const rows: Row[] = [
  { service: "front", took: 100 },
  { parent: 0, service: "shop", from: 10, took: 80 },
  { parent: 1, service: "db", from: 20, took: 10 },
  { parent: 1, service: "cache", from: 40, took: 10 },
  { parent: 3, service: "disk", from: 41, took: 5 },
  { parent: 0, service: "db", from: 92, took: 5 },
];

/** A trace with columns for tags whose values name the key and the row. */
function loaded(tags: string[], list = rows): LoadedTrace {
  const trace = skeleton(list);
  for (const k of tags) {
    trace.dicts[`tag:${k}`] = list.map((_, r) => `${k}${r}`);
    trace.columns[`tag:${k}`] = Uint32Array.from(list.keys());
  }
  return { trace, etag: tags.join(), tags };
}

function source(list = rows) {
  const asked: string[][] = [];
  const no = () => Promise.reject(new Error("not asked for here"));
  const s: Source = { path: "upload", load: (_, tags) => (asked.push(tags), Promise.resolve(loaded(tags, list))), newer: no, keys: no, spans: no, find: no, events: no };
  return { s, asked };
}

const shown = (m: TraceModel) => [...m.layout.rows].filter((r) => r >= 0 || !m.layout.groups[-1 - r]!.hidden).map((r) => m.t.services[m.t.service[r]!]);
const all = byName(["front", "shop", "db", "cache", "disk"]);

test("columns bring the whole trace and keep root, selection and hidden services", async () => {
  const { s, asked } = source();
  const m = new TraceModel(loaded([]), s);
  m.set(() => m.hideServices(new Set(["db", "disk"])));
  expect(shown(m)).toEqual(["front", "shop", "cache"]);
  m.select(3);
  m.reroot(1);
  expect(shown(m)).toEqual(["shop", "cache"]);
  await m.setColumns(["k"]);
  expect(asked).toEqual([["k"]]);
  expect([m.all.n, m.root, m.t.n, m.selected, m.tags]).toEqual([6, 1, 4, 2, ["k"]]);
  expect(shown(m)).toEqual(["shop", "cache"]);
  expect(m.t.dicts["tag:k"]![m.t.columns["tag:k"]![2]!]).toBe("k3");
  await m.setColumns([]);
  expect(asked.length).toBe(1); // what is there is not asked for
  m.reroot(-1);
  expect(shown(m)).toEqual(["front", "shop", "cache"]);
});

test("11: svcFilter is of the whole trace, whatever part is shown; elsewhere hidden services stay hidden", () => {
  const m = new TraceModel(loaded([]), source().s);
  const filter = (...hidden: string[]) => encode(all, new Set(hidden));
  m.reroot(1);
  m.set(() => m.hideServices(new Set(["db", "front"]))); // front is not here
  expect([m.svcFilter, [...m.hiddenServices]]).toEqual([filter("db"), ["db"]]);
  m.reroot(2); // cache: db is not below it
  expect([m.svcFilter, [...m.hiddenServices]]).toEqual([filter("db"), []]);
  m.set(() => m.hideServices(new Set(["disk"])));
  expect([m.svcFilter, shown(m)]).toEqual([filter("db", "disk"), ["cache"]]);
  m.set(() => m.hideServices(new Set()));
  expect([m.svcFilter, shown(m)]).toEqual([filter("db"), ["cache", "disk"]]);
  expect(m.readSvcFilter(filter("disk")!)).toBe(true);
  expect(m.readSvcFilter(encode(byName(["cache", "disk"]), new Set(["disk"]))!)).toBe(false);
  m.reroot(-1);
  expect(shown(m)).toEqual(["front", "shop", "db", "cache", "db"]);
});

test("a root whose own service is hidden is shown as the root, and hidden again in the whole", () => {
  const m = new TraceModel(loaded([]), source().s);
  m.readSvcFilter(encode(all, new Set(["shop"]))!);
  m.reroot(1);
  expect(shown(m)).toEqual(["shop", "db", "cache", "disk"]);
  m.reroot(-1);
  expect(shown(m)).toEqual(["front", "db"]);
});

test("late spans keep root, hidden services and open groups; the filter is then of all services", async () => {
  const many: Row[] = [...rows.slice(0, 5), ...Array.from({ length: 6 }, (_, i): Row => ({ parent: 1, service: "queue", from: 50 + i, took: 1 }))];
  const m = new TraceModel(loaded([], many), source().s);
  m.set(() => m.hideServices(new Set(["disk"])));
  m.similar = true;
  m.reroot(1);
  m.toggle(m.layout.rows.findIndex((r) => r < 0 && !m.layout.groups[-1 - r]!.hidden));
  const before = ["shop", "db", "cache", ...Array<string>(6).fill("queue")];
  expect(shown(m).filter(Boolean)).toEqual(before);
  m.update(loaded(["k"], [...many, { parent: 0, service: "late", from: 95, took: 1 }]));
  expect([shown(m).filter(Boolean), m.root, m.tags]).toEqual([before, 1, ["k"]]);
  expect(m.svcFilter).toBe(encode(byName(["front", "shop", "db", "cache", "disk", "queue", "late"]), new Set(["disk"])));
});

test("an answer for columns that are no longer wanted changes nothing", async () => {
  let answer = (_: LoadedTrace) => {};
  const { s } = source();
  const m = new TraceModel(loaded([]), { ...s, load: () => new Promise((done) => (answer = done)) });
  const first = m.setColumns(["a"]);
  const late = answer;
  void m.setColumns([]);
  late(loaded(["a"]));
  await first;
  expect([m.columns, m.tags]).toEqual([[], []]);
});

test("33: errors that are left out are passed over; if all are, the first is shown", () => {
  const m = new TraceModel(loaded([], rows.map((r, i) => ({ ...r, flags: i === 1 || i === 2 || i === 4 ? 1 : 0 }))), source().s);
  const visit = (n: number, direction: 1 | -1 = 1) => Array.from({ length: n }, () => (m.step(m.errorRows, direction), m.selected));
  m.set(() => m.hideServices(new Set(["db"])));
  expect([Array.from(m.errorsShown), visit(3), visit(2, -1)]).toEqual([[1, 4], [1, 4, 1], [4, 1]]);
  expect(shown(m)).toEqual(["front", "shop", "cache", "disk"]);
  m.set(() => m.hideServices(new Set(["shop"])));
  m.select(-1);
  expect([m.errorsShown.length, visit(2)]).toEqual([0, [1, 2]]);
  expect(shown(m)).toEqual(["front", "shop", "db", "cache", "disk", "db"]);
});

test("36: only the critical path hides what the answer did not wait for", () => {
  const m = new TraceModel(loaded([]), source().s);
  m.set(() => (m.filter = { ...m.filter, path: true }));
  const on = new Set(Array.from(m.criticalPath.row));
  expect([shown(m).length, [...m.layout.rows].filter((r) => r >= 0)]).toEqual([on.size, [...on].sort((a, b) => a - b)]);
  m.set(() => (m.filter = { ...m.filter, service: "cache" }));
  expect(shown(m)).toEqual(["front", "shop", "cache"]);
});

test("what was left out and opened stays open with late spans and another root", () => {
  const m = new TraceModel(loaded([]), source().s);
  m.set(() => m.hideServices(new Set(["db", "disk"])));
  m.toggle([...m.layout.rows].findIndex((r) => r < 0 && m.layout.groups[-1 - r]!.hidden!.parent === 1));
  const open = () => [shown(m), [...m.openPlaces]];
  expect(open()).toEqual([["front", "shop", "db", "cache"], [1]]);
  m.update(loaded(["k"], [...rows, { parent: 0, service: "late", from: 95, took: 1 }]));
  expect(open()).toEqual([["front", "shop", "db", "cache", "late"], [1]]);
  m.reroot(1);
  expect(open()).toEqual([["shop", "db", "cache"], [0]]);
});

test("a span that is left out is shown when somebody goes to it", () => {
  const m = new TraceModel(loaded([]), source().s);
  m.set(() => (m.filter = { ...m.filter, service: "db" }));
  expect(shown(m)).toEqual(["front", "shop", "db", "db"]);
  m.selectID("5");
  expect([shown(m), m.selected]).toEqual([["front", "shop", "db", "cache", "disk", "db"], 4]);
});
