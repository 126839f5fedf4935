// Acceptance criteria of what Jaeger's ui-config.json does to the page.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { launch, openPage, recorded, type Server, startServer, violations } from "./harness";

let server: Server, browser: Browser, page: Page, problems: string[];
const spans = recorded("bookinfo");
const byTrace = new Map<string, typeof spans>();
for (const s of spans) byTrace.set(s.traceId, [...(byTrace.get(s.traceId) ?? []), s]);
const whole = [...byTrace.values()].find((t) => t.length === 8 && t.some((s) => !s.parentId))!;
const id = whole[0]!.traceId;
const dir = mkdtempSync(join(tmpdir(), "spandrel-ui-"));

const begin = Date.now() * 1000 - 90e6;
const made = (n: number, part: object) => ({ traceId: "00000000000000000000000000000014", id: n.toString(16).padStart(16, "0"), ...(n > 1 ? { parentId: (n - 1).toString(16).padStart(16, "0") } : {}), name: `step ${n}`, kind: "SERVER", timestamp: begin + n, duration: 100_000 - n, localEndpoint: { serviceName: `made-${n}` }, ...part });
const job = [
  made(1, { tags: { tenant: "a&b/c" } }),
  made(2, {}),
  made(3, { tags: { job: "nightly build", two: "2", lonely: "1", evil: "1" }, annotations: [{ timestamp: begin + 9, value: "retry" }] }),
];

const settings = {
  menu: [
    { label: "Kiali", url: "https://kiali.example.com/console", anchorTarget: "_self" },
    { label: "Help", items: [{ label: "Runbook", url: "/search?service=runbook" }, { label: "Not a link", url: "javascript:alert(1)" }, { label: "</script><script>alert(1)</script>{{base}}", url: "/x" }] },
  ],
  search: { maxLookback: { label: "two hours", value: "2h" }, maxLimit: 50, defaultLookback: "15m" },
  dependencies: { menuEnabled: false },
  topTagPrefixes: ["peer.", "user"],
  traceIdDisplayLength: 11,
  disableFileUploadControl: true,
  disableJsonView: true,
  tracking: { gaID: "UA-1", trackErrors: true },
  scripts: [{ text: "alert(1)", type: "inline" }],
  linkPatterns: [
    { type: "tags", key: "job", url: "https://jobs.example.com/#{tenant}/#{job}?from=#{trace.startTime | add -1000000 | epoch_micros_to_date_iso}", text: "job #{job} of #{tenant}" },
    { type: "tags", key: "two", url: "/a/#{two}", text: "first" },
    { type: "tags", key: "two", url: "/b/#{two}", text: "second" },
    { type: "tags", key: "lonely", url: "/#{nobody}", text: "no link" },
    { type: "tags", key: "evil", url: "javascript:alert(#{evil})", text: "no link either" },
    { type: "logs", key: "event", url: "/events/#{event}/#{job}", text: "what #{event} means" },
    { type: "process", key: "host", url: "/hosts/#{host}", text: "host" },
    { type: "traces", url: "https://logs.example.com/?id=#{traceID | pad_start 40 0}&to=#{endTime | epoch_micros_to_date_iso}", text: "Logs of #{traceName}" },
    { type: "traces", url: "/#{job}", text: "missing" },
  ],
  nobodyKnows: { this: [1, 2, 3] },
  monitor: "not an object",
};

beforeAll(async () => {
  const file = join(dir, "ui.json");
  writeFileSync(file, JSON.stringify(settings));
  [server, browser] = await Promise.all([startServer("/jaeger", [`--query.ui-config=${file}`]), launch()]);
  await server.zipkin(spans);
  await server.zipkin(job);
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(dir, { recursive: true });
});
afterEach(async () => {
  await page.context().close();
  expect(problems).toEqual([]); // no script but the page's own, nothing leaves the origin
});

async function open(path: string, options = {}) {
  ({ page, problems } = await openPage(browser, server, options));
  await page.goto(server.url + path);
  await page.locator(".tbody [role=row], .grid .row").first().waitFor();
}
const header = () => page.locator("header.top");

test("13: the menu has the operator's links, and not the map", async () => {
  await open("/search");
  const kiali = header().getByRole("link", { name: "Kiali" });
  expect([await kiali.getAttribute("href"), await kiali.getAttribute("target"), await kiali.getAttribute("rel")]).toEqual(["https://kiali.example.com/console", "_self", "noopener noreferrer"]);
  await header().locator("summary", { hasText: "Help" }).click();
  expect(await header().getByRole("link", { name: "Runbook" }).getAttribute("target")).toBe("_blank");
  expect(await header().getByText("Not a link").evaluate((e) => e.tagName)).toBe("SPAN");
  expect(await header().getByText("</script><script>alert(1)").count()).toBe(1); // as text
  expect(await violations(page)).toEqual([]);
  expect(await header().getByRole("link", { name: "Map" }).count()).toBe(0);
  await page.locator(".result-bar strong").click();
  await expect.poll(() => header().locator("details[open]").count()).toBe(0);
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  expect(new URL(page.url()).pathname).toBe("/jaeger/search");
  await page.keyboard.press("?");
  expect(await page.getByRole("dialog", { name: "Keyboard" }).textContent()).not.toContain("g m");
});

test("13: the look-back, its longest and the limit of a search", async () => {
  await open("/search?service=productpage.default");
  expect(new URL(page.url()).searchParams.get("lookback")).toBe("15m");
  const choices = await page.getByLabel("Lookback").locator("option").allTextContents();
  expect(choices.slice(-2)).toEqual(["Last two hours", "Custom time range"]);
  await page.getByLabel("Limit results").fill("51");
  await page.getByRole("button", { name: "Find traces" }).click();
  expect(await page.locator("#wrong-limit").textContent()).toBe("a number from 1 to 50");
  await page.context().close();
  await open("/search?limit=1500");
  await expect.poll(() => new URL(page.url()).searchParams.get("limit")).toBe("50");
  expect(await page.locator(".traces").getAttribute("aria-rowcount").then(Number)).toBeLessThanOrEqual(51);
});

test("13: a trace's page shows as much of the id, the tags in that order, and no JSON", async () => {
  await open(`/trace/${id}?uiFind=${whole.find((s) => s.kind === "SERVER")!.id}`);
  expect(await page.locator("code.id").textContent()).toBe(id.slice(0, 11));
  expect(await page.getByText("JSON", { exact: true }).count()).toBe(0);
  await page.locator(".detail table.tags").first().waitFor();
  const keys = await page.locator(".detail table.tags").first().locator("th").allTextContents();
  expect(keys.slice(0, 2)).toEqual(["peer.address", "user_agent"]);
});

test("13: on a narrow screen the menu makes the page no wider", async () => {
  await open("/search", { viewport: { width: 360, height: 740 } });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  expect(await header().getByRole("link", { name: "Kiali" }).isVisible()).toBe(true);
});

test("14: tags, events and the process have their links, with what stands above them in the trace", async () => {
  ({ page, problems } = await openPage(browser, server));
  // no protocol received today brings a process with tags: they are added to the answer
  await page.route("**/spans?ids=*", async (route) => {
    const answer = await route.fetch();
    const body = (await answer.json()) as { spans: { process?: object[] }[] };
    for (const s of body.spans) s.process = [{ key: "host", type: "string", value: "node 7" }];
    await route.fulfill({ response: answer, json: body });
  });
  await page.goto(`${server.url}/trace/${job[0]!.traceId}?uiFind=${job[2]!.id}`);
  const detail = page.locator(".detail");
  const link = (name: string) => detail.getByRole("link", { name, exact: true });
  await link("nightly build job nightly build of a&b/c").waitFor();
  const from = new Date((begin + 1 - 1_000_000) / 1000).toISOString();
  expect(await link("nightly build job nightly build of a&b/c").getAttribute("href")).toBe(`https://jobs.example.com/a%26b%2Fc/nightly%20build?from=${encodeURIComponent(from)}`);
  expect(await detail.locator('a[target="_blank"]').first().getAttribute("rel")).toBe("noopener noreferrer");
  expect([await link("first").getAttribute("href"), await link("second").getAttribute("href")]).toEqual(["/a/2", "/b/2"]);
  expect(await link("retry what retry means").getAttribute("href")).toBe("/events/retry/nightly%20build");
  expect(await link("node 7 host").getAttribute("href")).toBe("/hosts/node%207");
  expect(await detail.locator("a.external").count()).toBe(5); // none for what is missing or evil
  const trace = page.locator(".title a.external");
  expect(await trace.count()).toBe(1);
  expect((await trace.textContent())!.trim()).toBe("Logs of made-1: step 1");
  expect(await trace.getAttribute("href")).toBe(`https://logs.example.com/?id=${"14".padStart(40, "0")}&to=${encodeURIComponent(new Date((begin + 1 + 99_999) / 1000).toISOString())}`);
  expect(await violations(page)).toEqual([]);
});

test("14: what stands above is not asked for where nothing lacks it", async () => {
  ({ page, problems } = await openPage(browser, server));
  const asked: string[] = [];
  page.on("request", (r) => /spans\?ids=/.test(r.url()) && asked.push(r.url()));
  await page.goto(`${server.url}/trace/${job[0]!.traceId}?uiFind=${job[1]!.id}`);
  await page.locator(".detail .operation").waitFor();
  await page.waitForTimeout(300);
  expect(asked.length).toBe(1);
});

test("14: with a span as the root, what stands above it and the times of the whole trace are still there", async () => {
  ({ page, problems } = await openPage(browser, server));
  await page.goto(`${server.url}/trace/${job[0]!.traceId}?root=${job[1]!.id}&span=${job[2]!.id}`);
  const link = page.locator(".detail").getByRole("link", { name: "nightly build job nightly build of a&b/c", exact: true });
  const from = new Date((begin + 1 - 1_000_000) / 1000).toISOString();
  expect(await link.getAttribute("href")).toBe(`https://jobs.example.com/a%26b%2Fc/nightly%20build?from=${encodeURIComponent(from)}`);
  expect((await page.locator(".title a.external").textContent())!.trim()).toBe("Logs of made-1: step 1");
  expect(await page.locator(".trace-head").textContent()).toContain("part of a trace of 3 spans");
});

test("13: disableFileUploadControl takes away the entry, the place to drop files on, and their page", async () => {
  await open("/search");
  expect(await page.getByRole("link", { name: "Open file" }).count()).toBe(0);
  const data = await page.evaluateHandle((c) => {
    const d = new DataTransfer();
    d.items.add(new File([c], "ok.json"));
    return d;
  }, JSON.stringify(whole));
  for (const type of ["dragover", "drop"]) {
    await page.dispatchEvent("main", type, { dataTransfer: data });
    expect(await page.locator("body.dropping").count()).toBe(0);
  }
  await page.waitForTimeout(300);
  expect(new URL(page.url()).pathname).toBe("/jaeger/search");
  for (const path of ["/upload", `/upload/${id}`, "/zipkin/traceViewer"]) {
    await page.goto(server.url + path);
    await page.getByRole("heading", { name: "Opening files is switched off" }).waitFor();
    expect(await page.locator('input[type="file"]').count()).toBe(0);
    expect(await violations(page)).toEqual([]);
  }
  await page.getByRole("link", { name: "Explore traces" }).click();
  await page.locator(".tbody [role=row]").first().waitFor();
});

test("14: of a trace from a file, what stands above is asked of the file", async () => {
  const file = join(dir, "links.json");
  writeFileSync(file, JSON.stringify({ linkPatterns: settings.linkPatterns, disableJsonView: true }));
  const other = await startServer("", [`--query.ui-config=${file}`]);
  try {
    ({ page, problems } = await openPage(browser, other));
    const asked: string[] = [];
    page.on("request", (r) => /\/api\//.test(r.url()) && asked.push(r.url()));
    await page.goto(`${other.url}/upload`);
    await page.locator('input[type="file"]').setInputFiles({ name: "job.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(job)) });
    await page.locator(".grid .row").nth(2).click();
    const link = page.locator(".detail").getByRole("link", { name: "nightly build job nightly build of a&b/c", exact: true });
    expect(await link.getAttribute("href")).toMatch(/^https:\/\/jobs\.example\.com\/a%26b%2Fc\/nightly%20build\?from=/);
    expect((await page.locator(".title a.external").textContent())!.trim()).toBe("Logs of made-1: step 1");
    expect(asked).toEqual([]);
  } finally {
    await page.context().close(); // first: Chromium may fetch the icon late, and a refused request is a problem
    await other.stop();
  }
});
