// Comparing two traces.
import { describe, expect, test } from "vitest";
import { violations } from "./harness";
import { byTrace, id, openTrace, page, server, spans, stage } from "./stage";

stage((s) => s.zipkin(spans));

test("9, 43: comparing names what changed, in words, with durations", async () => {
  const other = [...byTrace.values()].filter((t) => t.length < 8 && t.some((s) => !s.parentId))[0]!;
  await openTrace(`/trace/${id}...${other[0]!.traceId}?cohort=${id}`);
  await page.locator(".table .tr.open").first().waitFor();
  expect(await page.locator(".result-bar").textContent()).toMatch(/→.*removed/);
  expect(await page.locator(".diff.removed").first().textContent()).toContain("removed");
  await page.goto(`${server.url}/trace/${id}...${id}`);
  await expect.poll(() => page.locator(".result-bar").textContent()).toContain("0 added, 0 removed");
  expect(await page.locator(".diff.slower, .diff.faster").count()).toBe(0);
  // with one trace: those chosen with it, else those like it
  const candidates = page.getByRole("table", { name: "Traces to compare with" });
  const links = candidates.locator(".tbody [role=row]");
  await page.goto(`${server.url}/trace/...${id}?cohort=${id}&cohort=${other[0]!.traceId}`);
  await links.first().waitFor();
  expect(await links.evaluateAll((rs) => rs.map((r) => r.getAttribute("data-id")))).toEqual([other[0]!.traceId]);
  await page.goto(`${server.url}/trace/${id}...`);
  await expect.poll(() => links.count()).toBeGreaterThan(3);
  expect(await violations(page)).toEqual([]);
  const first = await links.first().getAttribute("data-id");
  await links.first().getByRole("button").press("Enter");
  await expect.poll(() => page.url()).toContain(`/trace/${id}...${first}`);
  await page.locator(".table .tr.open").first().waitFor();
  await page.goto(`${server.url}/trace/...`);
  await page.getByText("Choose a trace").waitFor();
});

/** Two traces of the same calls: B's payment is of another version, slower and fails; B has a retry, A a cache look-up. */
const at = Date.now() * 1000 - 60e6;
const call = (trace: number, n: number, parent: number, service: string, from: number, took: number, tags: Record<string, string> = {}) => ({
  traceId: trace.toString(16).padStart(32, "0"), id: (trace * 100 + n).toString(16).padStart(16, "0"), ...(parent ? { parentId: (trace * 100 + parent).toString(16).padStart(16, "0") } : {}),
  name: `op of ${service}`, kind: "SERVER", timestamp: at + from, duration: took, localEndpoint: { serviceName: service }, tags,
});
const pair = {
  a: [call(0x43a, 1, 0, "shop", 0, 100_000), call(0x43a, 2, 1, "pay", 20_000, 40_000, { "istio.canonical_revision": "v1", "guid:x-request-id": "a", region: "eu" }), call(0x43a, 3, 1, "cache", 70_000, 5_000)],
  b: [call(0x43b, 1, 0, "shop", 0, 200_000), call(0x43b, 2, 1, "pay", 20_000, 70_000, { "istio.canonical_revision": "v2", "guid:x-request-id": "b", response_flags: "UT", error: "true" }), call(0x43b, 3, 1, "pay", 100_000, 90_000, { "istio.canonical_revision": "v2" })],
};
const link = `/trace/${pair.a[0]!.traceId}...${pair.b[0]!.traceId}`;

describe("43: the views of a comparison", () => {
  test("timelines: both on one scale, what matches in one row, what failed marked, the choice in the address", async () => {
    await server.zipkin([...pair.a, ...pair.b]);
    await openTrace(link);
    await page.getByRole("tab", { name: "Timelines" }).click();
    const lines = page.getByRole("table", { name: "Timelines of both traces" }).locator(".tbody [role=row]");
    await expect.poll(() => lines.count()).toBe(3);
    expect(new URL(page.url()).searchParams.get("mode")).toBe("timeline");
    await page.reload();
    await expect.poll(() => lines.count()).toBe(3);
    /** Bars of a row's lanes as [from, to] in ms of the longer trace. */
    const lanes = (k: number) => lines.nth(k).locator(".lane").evaluateAll((ls) => ls.map((l) => [...l.querySelectorAll("i")].map((i) => [i, l].map((e) => e.getBoundingClientRect())).map(([i, l]) => [i!.left - l!.left, i!.right - l!.left].map((x) => Math.round((x / l!.width) * 200)))));
    const near = (got: number[][][], want: number[][][]) => expect(got.flat(2).map((x, i) => Math.abs(x - want.flat(2)[i]!)).every((d) => d <= 2), JSON.stringify(got)).toBe(true);
    near(await lanes(0), [[[0, 100]], [[0, 200]]]);
    near(await lanes(1), [[[20, 60]], [[20, 90], [100, 190]]]);
    near(await lanes(2), [[[70, 75]], []]);
    expect((await lines.allInnerTexts()).map((t) => t.replace(/\s+/g, " "))).toEqual([expect.stringContaining("shop"), expect.stringMatching(/pay.*▲ more.*40 ms.*160 ms ×2/), expect.stringMatching(/cache.*− removed.*5 ms.*–/)]);
    expect(await lines.nth(1).getByRole("img", { name: "with errors" }).count()).toBe(1);
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Only changed structure" }).click();
    await expect.poll(() => lines.count()).toBe(2);
    await lines.nth(1).click(); // only A has it
    await expect.poll(() => page.url()).toContain(`43a?span=${pair.a[2]!.id}`);
  });
  test("graph: what was added, removed and slower, in words", async () => {
    await openTrace(`${link}?mode=graph`);
    await expect.poll(() => page.locator(".node").count()).toBe(3);
    const text = (service: string) => page.locator(".node", { hasText: service }).textContent();
    expect(await text("shop")).toContain("100 ms → 200 ms (+100 %)");
    expect(await text("pay")).toMatch(/1 → 2 ▲ more.*40 ms → 160 ms \(\+300 %\)/);
    expect(await text("cache")).toContain("1 → 0 − removed");
    expect(await page.locator(".edge-label").allTextContents()).toEqual(["1× → 2×", "1× → 0×"]);
    expect(await violations(page)).toEqual([]);
  });
  test("attributes: just the tags that differ on spans that match, what tells most first; what differs each time only if wanted", async () => {
    await openTrace(`${link}?mode=attributes`);
    const rows = page.getByRole("table", { name: "Tags that differ" }).locator(".tbody [role=row]");
    const got = () => rows.evaluateAll((rs) => rs.map((r) => [0, 3, 4].map((i) => r.children[i]!.textContent)));
    const want = [["istio.canonical_revision", "v1", "v2"], ["response_flags", "not there", "UT"], ["error", "not there", "true"], ["region", "eu", "not there"]];
    await expect.poll(got).toEqual(want);
    await page.getByRole("button", { name: "What differs each time too" }).click();
    await expect.poll(async () => (await got()).map((g) => g[0]).sort()).toEqual([...want.map((w) => w[0]), "guid:x-request-id"].sort());
    expect(await violations(page)).toEqual([]);
    await page.goto(`${server.url}/trace/${id}...${id}?mode=attributes`);
    await page.getByText("0 differences").waitFor();
  });
});
