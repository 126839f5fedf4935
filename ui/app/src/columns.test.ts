import { expect, test } from "vitest";
import { fitColumns, readColumns, writeColumns } from "./columns";
import { skeleton, twoHops } from "./trace/fixture";
import { tagText } from "./trace/names";

test("columns in the address: each key once, eight at most, none too long", () => {
  const read = (cols: string) => readColumns(new URLSearchParams({ cols }));
  expect(readColumns(new URLSearchParams())).toEqual([]);
  expect(read(" a ,b,,a,guid:x-request-id")).toEqual(["a", "b", "guid:x-request-id"]);
  expect(read("1,2,3,4,5,6,7,8,9").length).toBe(8);
  expect(read("x".repeat(257) + ",y")).toEqual(["y"]);
  expect([writeColumns([]), writeColumns(["a", "b"])]).toEqual([null, "a,b"]);
});

test("columns leave room for the bars", () => {
  expect(fitColumns(800, 3)).toEqual({ count: 3, width: 130 });
  expect(fitColumns(800, 8)).toEqual({ count: 8, width: 56 });
  expect(fitColumns(300, 8)).toEqual({ count: 3, width: 56 });
  expect(fitColumns(120, 2)).toEqual({ count: 0, width: 0 });
  expect(fitColumns(-5, 2)).toEqual({ count: 0, width: 0 });
  for (let room = 0; room < 2000; room += 7) for (let n = 1; n <= 8; n++) {
    const f = fitColumns(room, n);
    expect(f.count * f.width, `${n} in ${room}`).toBeLessThanOrEqual(Math.max(0, room - 50));
  }
});

test("a folded call shows its client's value, else its server's", () => {
  const t = twoHops();
  t.columns["tag:k"] = Uint8Array.from([1, 2, 0, 2, 0]);
  t.dicts["tag:k"] = ["", "client's", "server's"];
  expect([0, 1, 2, 3, 4].map((r) => tagText(t, "k", r))).toEqual(["client's", "server's", "server's", "server's", ""]);
  expect(tagText(skeleton([{}]), "k", 0)).toBe("");
});
