// What an operator of a mesh does most, by clicks and keys: each is counted, and
// may cost no more than is said here. Jaeger UI's own cost is in the names.
import type { Locator } from "playwright-core";
import { beforeEach, describe, expect, test } from "vitest";
import { recorded, synthetic } from "./harness";
import { big, byTrace, dead, found, fresh, id, logged, page, params, rows, server, shownIDs, spans, stage, tag, texts, whole } from "./stage";

stage(async (s) => {
  for (const x of [spans, recorded("broken-propagation"), big.spans]) await s.zipkin(x);
});

let clicks = 0, keys = 0;
const click = (l: Locator) => (clicks++, l.click());
const press = (key: string) => (keys++, page.keyboard.press(key));
const type = (text: string) => ((keys += text.length), page.keyboard.type(text));
/** One click opens a list, the next chooses. */
const choose = (l: Locator, value: string) => ((clicks += 2), l.selectOption(value));
const cost = () => ({ clicks, keys });
beforeEach(() => void (clicks = keys = 0));

async function at(path: string) {
  await fresh();
  await page.goto(server.url + path);
  await page.locator(".grid .row, .traces .tbody [role=row], .checklist, .nothing").first().waitFor();
}
const howMany = async () => Number(await page.locator(".traces").getAttribute("aria-rowcount")) - 1;
const idsWhere = (test: (s: (typeof spans)[number]) => boolean) => [...new Set(spans.filter(test).map((s) => s.traceId))].sort();
const service = (s: (typeof spans)[number]) => (s.localEndpoint as { serviceName: string }).serviceName;

describe("the first error of 10,000 spans (2 clicks and 10 keys)", () => {
  const errors = big.spans.filter((s) => tag(s, "error") === "true");
  const there = async () => {
    await page.locator(".row.selected.wrong").waitFor();
    expect(errors.map((s) => s.id)).toContain(params().get("span") ?? (await expect.poll(() => params().get("span")).not.toBeNull(), params().get("span")));
    await page.locator(".detail .chip.status", { hasText: "503" }).waitFor();
  };
  test("the count stands in the header; one click", async () => {
    await at(`/trace/${big.id}`);
    expect(await page.locator(".error-jump").textContent()).toContain(`${errors.length} errors`);
    await click(page.locator(".error-jump button").first());
    await there();
    expect(cost()).toEqual({ clicks: 1, keys: 0 });
  });
  test("or one key", async () => {
    await at(`/trace/${big.id}`);
    await press("e");
    await there();
    expect(cost()).toEqual({ clicks: 0, keys: 1 });
  });
  test("a request that the client gave up, with status 0, is one", async () => {
    const gone = spans.find((s) => tag(s, "response_flags") === "DC" && tag(s, "http.status_code") === "0")!;
    await at(`/trace/${gone.traceId}?fold=none`);
    expect(await page.locator(".error-jump").textContent()).toContain(`${byTrace.get(gone.traceId)!.filter((s) => tag(s, "error") === "true").length} errors`);
    expect(await rows().filter({ hasText: "DC" }).locator(".mark").first().textContent()).toBe("▲");
  });
});

test("the response flag of a span (2 clicks and scrolling, each): in the row, explained, without a click", async () => {
  await at(`/trace/${dead.traceId}`);
  const flags = rows().filter({ hasText: "ghost" }).locator(".chip.flag");
  expect(await flags.allTextContents()).toEqual(["URX", "UF"]);
  for (const [i, text] of ["retries or connection attempts used up", "connection to the upstream failed"].entries()) expect(await flags.nth(i).getAttribute("title")).toContain(text);
  expect(await flags.first().evaluate((e) => { const r = e.getBoundingClientRect(); return e.contains(document.elementFromPoint(r.x + 4, r.y + 4)); })).toBe(true); // seen, not cut off
  expect(cost()).toEqual({ clicks: 0, keys: 0 });
});

test("which upstream was chosen (4 clicks, 2 scrolls): version and pod in the row, without a click", async () => {
  await at(`/trace/${id}`);
  const reviews = whole.find((s) => service(s) === "reviews.default" && s.kind === "SERVER")!;
  const version = tag(reviews, "istio.canonical_revision"), pod = tag(reviews, "node_id").split("~")[2]!.split(".")[0]!;
  const row = (await texts()).find((t) => t.includes("→ reviews"))!;
  expect(row).toContain(`productpage → reviews ${version}`);
  expect(row).toContain(pod);
  const seen = await rows().filter({ hasText: "→ reviews" }).locator(".who, .to, .where").evaluateAll((es) => es.map((e) => { const r = e.getBoundingClientRect(); return r.width > 10 && document.elementsFromPoint(r.right - 3, r.y + r.height / 2).some((x) => x.closest(".row") === e.closest(".row")); }));
  expect(seen).toEqual([true, true, true]);
  expect(cost()).toEqual({ clicks: 0, keys: 0 });
});

test("sidecar pairs of the whole trace (not possible): folded as it opens, one click shows both sides", async () => {
  await at(`/trace/${id}`);
  expect(await rows().count()).toBe(whole.length / 2);
  await click(page.getByRole("button", { name: "Fold hops" }));
  await expect.poll(() => rows().count()).toBe(whole.length);
  expect(cost()).toEqual({ clicks: 1, keys: 0 });
});

test("durations of two versions (5 clicks, 54 keys, and by eye): p50 and p95 by revision in one click", async () => {
  await at("/search?limit=20");
  await click(page.locator("header.top").getByRole("link", { name: "Mesh" }));
  const table = page.locator("table", { has: page.getByText("Revision", { exact: true }) });
  await table.waitFor();
  const heads = await table.locator("th").allTextContents();
  /** The table's figure of a version of reviews, in ms. */
  const shown = async (v: string, head: string) => {
    const name = (await table.locator("tbody tr").allTextContents()).findIndex((t) => t.startsWith("reviews"));
    const cells = await table.locator("tbody tr").nth(name + ["v1", "v2", "v3"].indexOf(v)).locator("td").allTextContents();
    expect(cells[1]).toBe(v);
    const [, n, unit] = /([\d.]+) (µs|ms|s)/.exec(cells[heads.indexOf(head)]!)!;
    return Number(n) * { "µs": 1e-3, ms: 1, s: 1e3 }[unit as "ms"];
  };
  for (const v of ["v1", "v2"]) {
    const took = [...spans, ...recorded("broken-propagation")].filter((s) => service(s) === "reviews.default" && s.kind === "SERVER" && tag(s, "istio.canonical_revision") === v).map((s) => (s.duration as number) / 1000).sort((a, b) => a - b);
    for (const [head, q] of [["p50", 0.5], ["p95", 0.95]] as const) {
      const want = [took[Math.ceil(q * took.length) - 2]!, took[Math.ceil(q * took.length)] ?? took.at(-1)!]; // a rank to either side, and the buckets' width
      const got = await shown(v, head);
      expect(got, `${v} ${head}`).toBeGreaterThanOrEqual(want[0]! * 0.95);
      expect(got, `${v} ${head}`).toBeLessThanOrEqual(want[1]! * 1.05);
    }
  }
  expect(cost()).toEqual({ clicks: 1, keys: 0 });
});

describe("traces by a header's tag (3 clicks and typing it all, with a service, exact match only)", () => {
  test("completed, without a service", async () => {
    await at("/search?limit=200");
    await press("/");
    await type("my_tag_h");
    await page.locator(".choices").getByRole("option", { name: "my_tag_header" }).waitFor();
    await expect.poll(() => page.locator(".choices [role=option]").count()).toBe(1);
    await press("ArrowDown");
    await press("Enter");
    await type("an");
    await expect.poll(() => page.locator(".choices [role=option]").allInnerTexts()).toEqual([expect.stringContaining("anonymous")]);
    await press("ArrowDown");
    await press("Enter");
    await press("Enter");
    const want = new Set([...spans, ...recorded("broken-propagation")].filter((s) => tag(s, "my_tag_header") === "anonymous").map((s) => s.traceId));
    await expect.poll(howMany).toBe(want.size);
    for (const x of await shownIDs()) expect(want).toContain(x);
    expect(cost()).toEqual({ clicks: 0, keys: 16 }); // of 8 + 9 letters and more that Jaeger wants
  });
  for (const [q, test_] of [
    ["my_tag_header~^anon", (s) => /^anon/.test(tag(s, "my_tag_header"))],
    ["response_flags~URX", (s) => tag(s, "response_flags").includes("URX")],
    ["http.status_code>=500", (s) => Number(tag(s, "http.status_code")) >= 500],
    ["http.status_code!=200 my_tag_header=jason", (s) => tag(s, "http.status_code") !== "200" && "http.status_code" in (s.tags as object) && tag(s, "my_tag_header") === "jason"],
    ["duration>100ms duration<1s", (s) => (s.duration as number) > 100e3 && (s.duration as number) < 1e6],
  ] as [string, (s: (typeof spans)[number]) => boolean][])
    test(`${q} finds what a look at each span finds`, async () => {
      await at(`/search?limit=500&q=${encodeURIComponent(q)}&end=${Date.now() * 1000}&start=${(Date.now() - 3600e3) * 1000}`);
      const torn = recorded("broken-propagation").filter(test_).map((s) => s.traceId);
      const want = [...new Set([...idsWhere(test_), ...torn, ...big.spans.filter(test_).map((s) => s.traceId)])].sort();
      expect(want.length).toBeGreaterThan(0);
      await expect.poll(howMany).toBe(want.length);
      for (const x of await shownIDs()) expect(want).toContain(x);
    });
  test("what cannot be read is said", async () => {
    await at("/search?limit=20");
    await press("/");
    await type("status>=");
    await press("Enter");
    await page.getByText("The query cannot be read").waitFor();
    expect(await page.getByText(/No trace/).count()).toBe(0);
    await logged(/status of 400/);
  });
});

test("failed requests of the entry page (7 of the 16 are found): an error anywhere, all of them", async () => {
  await at("/search?service=productpage.default&limit=500");
  await choose(page.locator(".search-form label", { hasText: "Errors" }).locator("select"), "trace");
  await click(page.getByRole("button", { name: "Find traces" }));
  const all = [...spans, ...recorded("broken-propagation")], ids = new Set(all.filter((s) => service(s) === "productpage.default").map((s) => s.traceId));
  const failed = [...new Set(all.filter((s) => ids.has(s.traceId) && (tag(s, "error") === "true" || Number(tag(s, "http.status_code")) >= 500 || tag(s, "http.status_code") === "0")).map((s) => s.traceId))];
  expect(failed.length).toBeGreaterThan(10);
  await expect.poll(howMany).toBe(failed.length);
  for (const x of await shownIDs()) expect(failed).toContain(x);
  expect(cost()).toEqual({ clicks: 3, keys: 0 });
});

test("several words in Find (mean or): mean and; ! leaves out spans", async () => {
  await at(`/trace/${dead.traceId}?fold=none`);
  const t = byTrace.get(dead.traceId)!, reviews = t.filter((s) => JSON.stringify(s).includes("reviews"));
  await press("/");
  await type("reviews error=true");
  await page.getByText("0 matches").waitFor();
  await page.keyboard.press("Control+A");
  await page.keyboard.type("reviews !span.kind=server");
  const want = reviews.filter((s) => s.kind !== "SERVER").length;
  await page.getByText(`${want} match`).waitFor();
  expect(cost()).toEqual({ clicks: 0, keys: 19 });
});

test("only the failing part (pruning a service at a time): one click, and what leads there stays", async () => {
  await at(`/trace/${dead.traceId}?fold=none`);
  await click(page.getByRole("button", { name: "Only errors" }));
  await expect.poll(() => page.locator(".row:not([hidden]):not(.left-out)").count()).toBeLessThan(9);
  const names = await page.locator(".row:not([hidden]):not(.left-out) .who").allTextContents();
  expect(names[0]).toContain("istio-ingressgateway"); // what leads there
  expect(await page.locator(".row.wrong:not([hidden])").count()).toBe(1);
  expect(cost()).toEqual({ clicks: 1, keys: 0 });
});

test("share what one sees (view, zoom, folds and open spans are lost): the address has all of it", async () => {
  await at(`/trace/${big.id}`);
  await page.keyboard.press("]");
  await page.keyboard.press("o");
  await page.keyboard.press("e");
  await page.locator(".row.selected").waitFor();
  await page.keyboard.press("z");
  await page.keyboard.press("c");
  await page.getByRole("button", { name: "Only errors" }).click();
  await expect.poll(() => ["span", "zoom", "cp", "only", "x"].map((k) => params().has(k))).toEqual([true, true, true, true, true]);
  const see = async () => [await texts(), await page.locator(".ruler span").allTextContents(), await page.locator(".detail h2").textContent()];
  await page.locator(".detail table.tags").first().waitFor();
  const [link, saw] = [page.url(), await see()];
  await page.context().close();
  await fresh();
  await page.goto(link);
  await page.locator(".detail table.tags").first().waitFor();
  await expect.poll(see).toEqual(saw);
  for (const view of ["flame", "graph", "stats", "spans", "logs"]) {
    await page.goto(`${link}&view=${view}`);
    await expect.poll(() => page.locator('.tabs [aria-selected="true"]').last().textContent()).toMatch(new RegExp(view.slice(0, 4), "i"));
  }
  expect(cost()).toEqual({ clicks: 0, keys: 0 });
});

test("and which groups of similar spans, and what of that which is left out, were opened", async () => {
  const flat = synthetic(3000, 5, "flat");
  await server.zipkin(flat.spans);
  await at(`/trace/${flat.id}?fold=similar&only=errors`);
  await page.locator(".row.left-out").first().click();
  await expect.poll(() => params().has("left")).toBe(true);
  await page.getByRole("button", { name: "Only errors" }).click();
  await page.locator(".row:not([hidden])", { hasText: "×" }).first().click();
  await expect.poll(() => params().has("open")).toBe(true);
  await page.getByRole("button", { name: "Only errors" }).click();
  await expect.poll(() => params().get("only")).toBe("errors");
  const before = await texts();
  await page.reload();
  await rows().first().waitFor();
  await expect.poll(texts).toEqual(before);
});

test("a search is shared with all that was chosen in it", async () => {
  await at("/search?limit=100&service=productpage.default");
  await page.locator(".facets").getByLabel(/^with errors/).check();
  await page.getByRole("tab", { name: "Heat map" }).click();
  await page.getByRole("columnheader", { name: "Duration" }).getByRole("button").click();
  await expect.poll(() => ["facet", "chart", "sort", "start", "end"].map((k) => params().has(k))).toEqual([true, true, true, true, true]);
  const [link, saw] = [page.url(), await shownIDs()];
  await page.context().close();
  await fresh();
  await page.goto(link);
  await found().first().waitFor();
  expect(await shownIDs()).toEqual(saw);
  expect(await page.getByRole("tab", { name: "Heat map" }).getAttribute("aria-selected")).toBe("true");
});
