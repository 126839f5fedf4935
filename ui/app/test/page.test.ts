// What holds for the page whatever it shows: links from elsewhere, preferences, a server or storage that fails.
import { describe, expect, test } from "vitest";
import { found, fresh, logged, open, page, server, spans, stage } from "./stage";

stage((s) => s.zipkin(spans));

test("10, 53: embedded in a page of the same origin; the theme of a link is not kept", async () => {
  await fresh();
  await page.route("**/console", (r) => r.fulfill({ contentType: "text/html", body: `<iframe width=900 height=600 src="/trace/${spans[0]!.traceId}?uiEmbed=v0&uiTheme=dark"></iframe>` }));
  await page.goto(server.url + "/console");
  const frame = page.frameLocator("iframe");
  await frame.locator(".grid .row").first().waitFor();
  expect(await frame.locator("header.top").count()).toBe(0);
  expect(await frame.locator("html").getAttribute("data-theme")).toBe("dark");
  expect(await page.evaluate(() => Object.keys(localStorage).filter((k) => /theme/.test(k)))).toEqual([]);
});

test("17: a link of somebody else's view changes no preference", async () => {
  await open("/search");
  await found().first().waitFor();
  await page.getByRole("button", { name: "Local" }).click();
  const kept = () => page.evaluate(() => JSON.stringify(Object.entries(localStorage).sort()));
  const before = await kept();
  await page.goto(`${server.url}/search?service=productpage.default&sort=spans&chart=heat&cols=http.url&limit=50&facet=outcome:with%20errors&uiTheme=dark&live=1`);
  await found().first().waitFor();
  expect(await kept()).toBe(before);
  expect(await page.getByRole("tab", { name: "Heat map" }).getAttribute("aria-selected")).toBe("true");
});

test("59: when the server is gone the page says so and keeps what it shows", async () => {
  await open("/search?service=productpage.default");
  await found().first().waitFor();
  await page.route("**/api/ui/v1/search**", (r) => r.abort());
  await page.getByRole("button", { name: "Find", exact: true }).click();
  await page.getByText("The server does not answer.").waitFor();
  expect(await found().count()).toBeGreaterThan(0);
  await page.unroute("**/api/ui/v1/search**");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect.poll(() => page.getByText("The server does not answer.").count()).toBe(0);
  await logged(/ERR_FAILED/);
});

test("59: what the server says of a question is shown", async () => {
  await open("/search?service=productpage.default");
  await found().first().waitFor();
  for (const [status, code] of [[400, "invalid"], [413, "too_large"], [429, "busy"], [500, "internal"]] as const) {
    await page.route("**/api/ui/v1/search**", (r) => r.fulfill({ status, contentType: "application/json", body: JSON.stringify({ error: { code, message: `this is what ${status} says` } }) }));
    await page.getByRole("button", { name: "Find", exact: true }).click();
    await page.getByText(`this is what ${status} says`).waitFor();
    expect(await found().count()).toBeGreaterThan(0);
    await page.unroute("**/api/ui/v1/search**");
  }
  await logged(/status of (400|413|429|500)/, 4);
});

test("60: a full storage and another tab harm nothing", async () => {
  await fresh();
  await page.addInitScript(() => (Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); }));
  await page.goto(server.url + "/search");
  await found().first().waitFor();
  await page.getByRole("button", { name: /theme/ }).click();
  expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
  await page.locator(".traces .tbody a").first().click();
  await page.locator(".grid .row").first().waitFor();
  await page.context().close();
  // two tabs, each with its own choice: what is stored is one of the two, whole
  await open("/search");
  const other = await page.context().newPage();
  await other.goto(server.url + "/search");
  await page.getByRole("button", { name: "Local" }).click();
  await other.getByRole("button", { name: /theme/ }).click();
  await page.reload();
  await page.getByRole("button", { name: "UTC" }).waitFor();
  expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
});

test("60: it works when storage is blocked", async () => {
  await fresh();
  await page.addInitScript(() => Object.defineProperty(window, "localStorage", { get: () => { throw new Error("blocked"); } }));
  await page.goto(server.url + "/search");
  await found().first().waitFor();
  await page.getByRole("button", { name: /theme/ }).click();
  expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
});

describe("53: the theme", () => {
  test("follows the system, can be chosen, and stays chosen", async () => {
    await open("/search", { colorScheme: "dark" });
    await found().first().waitFor();
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.getByRole("button", { name: "Use the light theme" }).click();
    expect(await background()).not.toBe(dark);
    await page.reload();
    expect(await background()).not.toBe(dark);
    await page.goto(server.url + "/search?uiTheme=dark");
    expect(await background()).toBe(dark);
    await page.goto(server.url + "/search");
    expect(await background()).not.toBe(dark);
  });
});

test("10: embedded without navigation; the graph can be hidden", async () => {
  await open("/search?uiEmbed=v0&uiSearchHideGraph=1&service=productpage.default");
  await found().first().waitFor();
  expect(await page.locator("header.top").count()).toBe(0);
  expect(await page.locator(".chart").count()).toBe(0);
  const hidden = { uiTimelineCollapseTitle: ".trace-head", uiTimelineHideMinimap: ".minimap", uiTimelineHideSummary: ".trace-head time" };
  for (const [param, selector] of Object.entries(hidden)) {
    await page.goto(`${server.url}/trace/${spans[0]!.traceId}?uiEmbed=v0`);
    await page.locator(".grid .row").first().waitFor();
    expect(await page.locator(selector).first().isVisible()).toBe(true);
    await page.goto(`${server.url}/trace/${spans[0]!.traceId}?uiEmbed=v0&${param}=1`);
    await page.locator(".grid .row").first().waitFor();
    expect(await page.locator(selector).filter({ visible: true }).count(), param).toBe(0);
  }
});
