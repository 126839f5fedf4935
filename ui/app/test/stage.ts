// What most tests stand on: a server, a browser, and for each test pages of
// which nothing may go wrong. Recorded posts of Bookinfo's Envoys to look at.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { launch, openPage, recorded, type Server, startServer, synthetic } from "./harness";

export let server: Server, browser: Browser, page: Page, problems: string[];

/** Starts what the tests of a file need; `feed` fills the store. */
export function stage(feed: (s: Server) => Promise<void>, flags: string[] = []) {
  beforeAll(async () => {
    [server, browser] = await Promise.all([startServer("", flags), launch()]);
    await feed(server);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });
  afterEach(async () => {
    await page.context().close();
    expect(problems).toEqual([]); // 56: nothing on the console, nothing leaves the origin
  });
}

/** A page of a context of its own becomes the test's. */
export async function fresh(options = {}) {
  ({ page, problems } = await openPage(browser, server, options));
}

/** Strikes out what the browser itself logs of n requests that failed, once it has. */
export async function logged(what: RegExp, n = 1) {
  const others = () => problems.filter((p) => !what.test(p));
  await expect.poll(() => problems.length - others().length).toBe(n);
  problems.splice(0, problems.length, ...others());
}

export const params = () => new URL(page.url()).searchParams;

export const spans = recorded("bookinfo");
export const tag = (s: (typeof spans)[number], k: string) => (s.tags as Record<string, string>)[k] ?? "";
export const byTrace = new Map<string, typeof spans>();
for (const s of spans) byTrace.set(s.traceId, [...(byTrace.get(s.traceId) ?? []), s]);
/** A trace of which all spans came. */
export const whole = [...byTrace.values()].filter((t) => t.length === 8 && t.some((s) => !s.parentId))[0]!;
export const id = whole[0]!.traceId;
export const dead = spans.find((s) => tag(s, "response_flags") === "URX,UF")!;
export const big = synthetic(10_000, 1);

/** The page of a trace. */
export const grid = () => page.locator(".grid");
export const rows = () => page.locator(".grid .row:not([hidden])");
export const count = () => grid().getAttribute("aria-rowcount").then(Number);
export const elements = () => page.evaluate(() => document.getElementsByTagName("*").length);
export const texts = () => rows().evaluateAll((rs) => rs.map((r) => (r as HTMLElement).innerText.replace(/\s+/g, " ")));
export async function openTrace(path: string, options = {}) {
  await fresh(options);
  await page.goto(server.url + path);
  await page.locator(".grid .row, .table, canvas, .graph-view").first().waitFor();
}

/** The page of a search. */
export const found = () => page.locator(".traces .tbody [role=row]");
export const shownIDs = () => found().locator("a").evaluateAll((as) => as.map((a) => /trace\/([0-9a-f]+)/.exec((a as HTMLAnchorElement).href)![1]!));
export async function open(path: string, options = {}) {
  await fresh(options);
  await page.goto(server.url + path);
}
export const made = (n: number, service: string, part: Record<string, unknown>) => ({ traceId: n.toString(16).padStart(32, "0"), id: n.toString(16).padStart(16, "0"), name: "made", kind: "SERVER", timestamp: Date.now() * 1000 - 60e6 - n, duration: 1000, localEndpoint: { serviceName: service }, ...part });
