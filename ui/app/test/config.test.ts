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
  nobodyKnows: { this: [1, 2, 3] },
  monitor: "not an object",
};

beforeAll(async () => {
  const file = join(dir, "ui.json");
  writeFileSync(file, JSON.stringify(settings));
  [server, browser] = await Promise.all([startServer("/jaeger", [`--query.ui-config=${file}`]), launch()]);
  await server.zipkin(spans);
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
