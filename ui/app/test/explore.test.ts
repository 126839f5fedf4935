// Acceptance criteria of searching, by number, against the real binary.
import { expect, test } from "vitest";
import { synthetic } from "./harness";
import { found, logged, made, open, page, params, server, shownIDs, spans, stage, tag } from "./stage";

stage(async (s) => {
  await s.zipkin(spans);
  for (let i = 2; i < 60; i++) await s.zipkin(synthetic(3, i).spans);
});

const jaegerIDs = async (query: string) => ((await (await fetch(`${server.url}/api/traces?${query}`)).json()) as { data: { traceID: string }[] }).data.map((t) => t.traceID);

test("1: / leads to the search, which shows the newest traces at once", async () => {
  await open("/");
  await found().first().waitFor();
  expect(new URL(page.url()).pathname).toBe("/search");
  expect(await found().count()).toBeGreaterThan(5);
});

test("2: a link with a service and nothing else runs, and is completed", async () => {
  await open("/search?service=reviews.default");
  await found().first().waitFor();
  for (const k of ["start", "end", "lookback", "limit"]) expect(params().has(k), k).toBe(true);
  expect(await page.getByLabel("Service", { exact: false }).first().inputValue()).toBe("reviews.default");
});

test("3, 4, 5: look-back alone, JSON tags in logfmt, parameters without a value", async () => {
  await open(`/search?service=productpage.default&lookback=1h&maxDuration&minDuration&operation=all&tags=${encodeURIComponent('{"http.status_code":"200"}')}`);
  await found().first().waitFor();
  expect(await page.locator("#tags-field").inputValue()).toBe("http.status_code=200");
  await page.locator("#tags-field").fill("http.status_code = 503");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Find traces" }).click();
  await expect.poll(() => params().get("tags")).toBe('{"http.status_code":"503"}');
});

test("6: traceID lists just these, and span= points into one", async () => {
  const [a, b] = [...new Set(spans.map((s) => s.traceId))];
  const s = spans.find((x) => x.traceId === a)!;
  await open(`/search?traceID=${a}&traceID=${b}&span=${s.id}@${a}`);
  await expect.poll(async () => (await shownIDs()).sort()).toEqual([a, b].sort());
  expect(await found().locator(`a[href*="${a}"]`).getAttribute("href")).toContain(`uiFind=${s.id}`);
});

test("15: finds what /api/traces finds", async () => {
  const q = `service=productpage.default&tags=${encodeURIComponent('{"http.status_code":"200"}')}&minDuration=10ms&limit=7&lookback=1h`;
  await open("/search?" + q);
  await found().first().waitFor();
  const range = `&start=${params().get("start")}&end=${params().get("end")}`;
  expect((await shownIDs()).sort()).toEqual((await jaegerIDs(q + range)).sort());
});

test("16: what cannot be read is said beside the field, and nothing is sent", async () => {
  await open("/search?service=reviews.default");
  await found().first().waitFor();
  const before = page.url();
  await page.getByLabel("Min duration").fill("fast");
  await page.locator("#tags-field").fill("error");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Find traces" }).click();
  const field = page.getByLabel("Min duration");
  expect(await field.getAttribute("aria-invalid")).toBe("true");
  expect(await page.locator("#" + (await field.getAttribute("aria-describedby"))).textContent()).toContain("1.2s");
  expect(await page.locator("#wrong-tags").textContent()).toContain("error=");
  expect(page.url()).toBe(before);
});

test("a query that cannot be read says so instead of finding nothing", async () => {
  await open("/search?q=" + encodeURIComponent("http.status_code>=abc("));
  await page.locator("#wrong-q").waitFor();
  expect(await page.locator("#wrong-q").textContent()).toContain("cannot be read");
  expect(await page.getByText("No trace meets").count()).toBe(0);
  await logged(/status of 400/);
});

test("header tags are found by completion, without a service", async () => {
  await open("/search");
  await found().first().waitFor();
  const q = page.getByRole("combobox", { name: "Query" });
  await q.click();
  await page.keyboard.type("my_tag_h");
  await page.locator(".choices").getByRole("option", { name: "my_tag_header" }).waitFor();
  await expect.poll(() => page.locator(".choices [role=option]").count()).toBe(1); // not those for what was typed before
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter"); // takes the key
  await page.locator(".choices").getByRole("option", { name: "jason" }).waitFor();
  await page.keyboard.type("ja");
  await expect.poll(() => page.locator(".choices [role=option]").count()).toBe(1);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter"); // takes the value
  await page.keyboard.press("Enter"); // searches
  await expect.poll(() => params().get("q")).toBe("my_tag_header=jason");
  const want = [...new Set(spans.filter((s) => tag(s, "my_tag_header") === "jason").map((s) => s.traceId))];
  await expect.poll(async () => (await shownIDs()).sort()).toEqual(want.sort());
});

test("a choice stays marked when the answer for what was typed since comes late", async () => {
  await open("/search");
  await found().first().waitFor();
  const late: (() => void)[] = [];
  await page.route(/tags\/keys\?prefix=my_tag_h&/, async (route) => {
    await new Promise<void>((done) => late.push(done));
    await route.continue();
  });
  const q = page.getByRole("combobox", { name: "Query" });
  await q.click();
  await page.keyboard.type("my_tag");
  const option = page.locator(".choices").getByRole("option", { name: "my_tag_header" });
  await option.waitFor();
  await page.keyboard.type("_h");
  await expect.poll(() => late.length).toBe(1);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown"); // past my_tag_env
  await expect.poll(() => option.getAttribute("aria-selected")).toBe("true");
  const answered = page.waitForResponse(/prefix=my_tag_h&/);
  late[0]!();
  await answered;
  await page.waitForTimeout(100);
  expect(await option.getAttribute("aria-selected")).toBe("true");
  await page.keyboard.press("Enter");
  await expect.poll(() => q.inputValue()).toBe("my_tag_header=");
});

test("an error anywhere in the trace is a search", async () => {
  await open("/search?service=productpage.default&errors=trace&limit=100");
  await found().first().waitFor();
  const ids = new Set(spans.filter((s) => (s.localEndpoint as { serviceName: string }).serviceName === "productpage.default").map((s) => s.traceId));
  const failed = new Set(spans.filter((s) => ids.has(s.traceId) && (tag(s, "error") === "true" || Number(tag(s, "http.status_code")) >= 500)).map((s) => s.traceId));
  const shown = await shownIDs();
  for (const id of failed) expect(shown).toContain(id);
  for (const e of await found().locator("[role=cell]:nth-child(7)").allTextContents()) expect(Number(e)).toBeGreaterThan(0);
});

test("24: a trace id in any form opens the trace; an unknown one says so", async () => {
  await open("/search");
  const id = spans[0]!.traceId;
  await page.locator("#omnibox").fill(`00-${id}-def783556ee604ae-01`);
  await page.keyboard.press("Enter");
  await page.locator(".grid .row").first().waitFor();
  expect(page.url()).toContain(id);
  await page.locator("#omnibox").fill("0123456789abcdef0123456789abcdef");
  await page.keyboard.press("Enter");
  await page.getByText("This trace is not stored").waitFor();
  await logged(/status of 404/);
  await page.locator("#omnibox").fill("hello");
  await page.keyboard.press("Enter");
  await page.getByText("There is no trace id in this.").waitFor();
});

test("26: chosen traces are downloaded, and opened again are the same ones", async () => {
  await open("/search?service=productpage.default&limit=20");
  await found().first().waitFor();
  const ids = (await shownIDs()).slice(0, 3);
  for (let i = 0; i < 3; i++) await found().nth(i).getByRole("checkbox").check();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  expect(file.suggestedFilename()).toBe("traces.json");
  const path = await file.path();
  await page.goto(server.url + "/upload");
  await page.locator('input[type="file"]').setInputFiles(path);
  await page.getByText("3 traces open").waitFor();
  expect((await page.locator(".traces .tbody [role=row]").evaluateAll((rs) => rs.map((r) => r.getAttribute("data-id")))).sort()).toEqual(ids.sort());
});

test("12: links of Zipkin Lens land on the page that shows the same", async () => {
  const s = spans[0]!, end = Math.round(Date.now() / 1000) * 1000;
  await open(`/zipkin/?serviceName=productpage.default&lookback=15m&endTs=${end}&annotationQuery=${encodeURIComponent("error and http.method=GET")}&limit=7`);
  await found().first().waitFor();
  expect(new URL(page.url()).pathname).toBe("/search");
  expect(["service", "q", "limit", "end", "start"].map((k) => params().get(k))).toEqual(["productpage.default", "error http.method=GET", "7", String(end * 1000), String((end - 900_000) * 1000)]);
  await page.goto(`${server.url}/zipkin/traces/${s.traceId}`);
  await page.locator(".grid .row").first().waitFor();
  expect(new URL(page.url()).pathname).toBe(`/trace/${s.traceId}`);
  await page.goto(`${server.url}/zipkin/dependency?startTime=${end - 3_600_000}&endTime=${end}`);
  await page.locator(".node").first().waitFor();
  expect(new URL(page.url()).pathname).toBe("/dependencies");
});

test("27: nothing found offers what would find something", async () => {
  await open("/search?service=productpage.default&q=" + encodeURIComponent("my_tag_header=nobody"));
  await page.getByRole("button", { name: "Remove the conditions" }).click();
  await found().first().waitFor();
  await page.goto(`${server.url}/search?service=nobody.nowhere`); // as Kiali links to a service that sends nothing
  await page.getByText("No trace of nobody.nowhere is stored in this range").waitFor();
  await page.getByRole("button", { name: "Search all services" }).click();
  await found().first().waitFor();
  expect(params().has("service")).toBe(false);
});

test("48: a service's revisions with the shares they have, and their traces", async () => {
  const want = { v1: 10, v2: 20, v3: 50 };
  let n = 0x48000;
  for (const [v, many] of Object.entries(want)) await server.zipkin(Array.from({ length: many }, () => made(n++, "split.default", { tags: { "istio.canonical_revision": v } })));
  await open("/monitor?service=split.default");
  const table = page.locator("table", { has: page.getByText("Revision", { exact: true }) });
  for (const [v, many] of Object.entries(want)) {
    const share = parseFloat((await table.locator("tbody tr", { hasText: v }).locator("td.right").first().textContent())!);
    expect(Math.abs(share - (many / 80) * 100), `${v}: ${share} %`).toBeLessThanOrEqual(1);
  }
  await table.locator("tbody tr", { hasText: "v1" }).getByRole("link", { name: "Traces" }).click();
  await expect.poll(() => found().count()).toBe(10);
});
