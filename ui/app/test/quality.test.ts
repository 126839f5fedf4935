// What holds for every page: accessible, of any width and theme, under any base
// path, safe with hostile values, small.
import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { artifacts, launch, openPage, recorded, repo, type Server, startServer, synthetic, violations } from "./harness";
import { colours } from "./picture";

let server: Server, browser: Browser;
const spans = recorded("bookinfo");
const torn = recorded("broken-propagation");
const big = synthetic(10_000, 1);
const dead = spans.find((s) => (s.tags as Record<string, string>).response_flags === "URX,UF")!;
const evil = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
const hostile = {
  traceId: "000000000000000000000000deadbeef", id: "00000000deadbeef", name: `${evil}${"long".repeat(2000)}`, timestamp: Date.now() * 1000 - 30e6, duration: 1000, localEndpoint: { serviceName: `‮gnihtemos ${evil}` },
  tags: { [evil]: evil, "http.url": `javascript:alert(1)//${evil}`, big: "x".repeat(1_000_000), control: "\u0000\u0007\u001b[31m‮rtl", response_flags: `${evil},ZZ`, "http.status_code": evil, upstream_cluster: `outbound|1||${evil}`, node_id: `sidecar~1~${evil}.x~y`, "istio.canonical_revision": evil },
};

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
  for (const s of [spans, torn, big.spans, [hostile]]) await server.zipkin(s);
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

const routes: Record<string, string> = {
  search: "/search?limit=50", trace: `/trace/${dead.traceId}?span=${dead.id}`, "trace of 10,000": `/trace/${big.id}`, flame: `/trace/${dead.traceId}?view=flame`, graph: `/trace/${dead.traceId}?view=graph`, statistics: `/trace/${dead.traceId}?view=stats`, spans: `/trace/${dead.traceId}?view=spans`, logs: `/trace/${dead.traceId}?view=logs`,
  "search with columns": "/search?limit=50&cols=http.url,response_flags", "trace with columns": `/trace/${dead.traceId}?fold=none&cols=http.url,node_id,nowhere`,
  services: "/monitor", service: "/monitor?service=reviews.default", map: "/dependencies", "map as table": "/dependencies?view=table", errors: "/errors", mesh: "/mesh", status: "/status", compare: `/trace/${dead.traceId}...${spans[0]!.traceId}`, files: "/upload", nowhere: "/nowhere",
};

describe("50, 55, 56: every route", () => {
  for (const theme of ["light", "dark"] as const)
    test(`is accessible in ${theme}, and quiet`, async () => {
      const { page, problems } = await openPage(browser, server, { colorScheme: theme });
      for (const [name, path] of Object.entries(routes)) {
        await page.goto(server.url + path);
        await page.waitForFunction(() => !document.querySelector(".loading") && document.querySelector("main")?.children.length);
        await page.waitForLoadState("networkidle", { timeout: 1500 }).catch(() => {});
        expect.soft(await violations(page), `${name}, ${theme}`).toEqual([]);
      }
      expect(problems).toEqual([]);
      await page.context().close();
    }, 120_000);

  test("fits 360, 768 and 1920 pixels without sideways scrolling", async () => {
    const { page } = await openPage(browser, server);
    for (const width of [360, 768, 1920]) {
      await page.setViewportSize({ width, height: 800 });
      for (const [name, path] of Object.entries(routes)) {
        await page.goto(server.url + path);
        await page.waitForFunction(() => !document.querySelector(".loading") && document.querySelector("main")?.children.length);
        await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"); // tables fit themselves when they have a layout
        expect.soft(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), `${name} at ${width}`).toBeLessThanOrEqual(0);
        // a column that there is no room for is left out, not cut off
        expect.soft(await page.evaluate(() => Math.max(0, ...[...document.querySelectorAll(".table")].map((t) => t.scrollWidth - t.clientWidth))), `tables of ${name} at ${width}`).toBe(0);
      }
    }
    await page.context().close();
  }, 120_000);
  test("on a narrow screen the chosen tab is in view, a graph begins legible, and what the keyboard comes to is shown", async () => {
    const { page } = await openPage(browser, server, { viewport: { width: 360, height: 740 } });
    await page.goto(`${server.url}/trace/${dead.traceId}?view=logs`);
    await page.locator(".table").waitFor();
    expect(await page.getByRole("tab", { name: "Logs" }).evaluate((t) => t.getBoundingClientRect().right <= t.parentElement!.getBoundingClientRect().right + 1)).toBe(true);
    await page.goto(`${server.url}/trace/${dead.traceId}?view=graph`);
    const nodes = page.locator(".node"), box = (await page.locator(".graph-view").boundingBox())!;
    await nodes.first().waitFor();
    await expect.poll(() => nodes.first().locator("rect").evaluate((n) => n.getBoundingClientRect().width)).toBeGreaterThan(100);
    for (let i = 0; i < (await nodes.count()); i++) {
      await nodes.nth(i).focus();
      await expect.poll(async () => {
        const b = (await nodes.nth(i).locator("rect").first().boundingBox())!;
        return b.x >= box.x - 1 && b.x + b.width <= box.x + box.width + 1 && b.y >= box.y - 1;
      }).toBe(true);
    }
    await page.getByRole("button", { name: "Fit" }).click();
    await expect.poll(() => nodes.locator("rect").evaluateAll((ns) => ns.every((n) => n.getBoundingClientRect().left >= 0 && n.getBoundingClientRect().right <= innerWidth))).toBe(true);
    await page.context().close();
  });
  test("what matters most stays on a narrow screen", async () => {
    const { page } = await openPage(browser, server);
    const heads = async (width: number, path: string) => {
      await page.setViewportSize({ width, height: 800 });
      await page.goto(server.url + path);
      await page.locator(".tbody [role=row]").first().waitFor();
      return (await page.getByRole("columnheader").allTextContents()).join();
    };
    expect(await heads(768, "/search")).toMatch(/Trace,Status,Flags,.*Duration,Start/);
    expect(await heads(360, "/search")).toMatch(/Trace,Status,Duration/);
    expect(await heads(360, routes.compare!)).toContain("Difference");
    expect(await heads(360, "/monitor")).toMatch(/Service,.*Errors,p95/);
    await page.context().close();
  });
});

describe("52: what the reader asked of every page is honoured", () => {
  for (const colorScheme of ["light", "dark"] as const)
    test(`forced colours, ${colorScheme}`, async () => {
      const { page, problems } = await openPage(browser, server, { forcedColors: "active", colorScheme });
      /** Colours as numbers, whatever way they are written in. */
      const see = () =>
        page.evaluate(() => {
          const c = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
          const rgb = (color: string) => {
            c.clearRect(0, 0, 1, 1);
            c.fillStyle = color;
            c.fillRect(0, 0, 1, 1);
            return [...c.getImageData(0, 0, 1, 1).data.slice(0, 3)].join();
          };
          const of = (selector: string) => {
            const e = document.querySelector(selector);
            return e ? { color: rgb(getComputedStyle(e).color), background: rgb(getComputedStyle(e).backgroundColor) } : null;
          };
          const probe = document.createElement("i");
          document.body.append(probe);
          const system = (name: string) => ((probe.style.cssText = `forced-color-adjust: none; color: ${name}`), rgb(getComputedStyle(probe).color));
          const all = { canvas: system("Canvas"), text: system("CanvasText"), highlight: system("Highlight"), highlightText: system("HighlightText"), body: of("body"), tab: of('.tabs [aria-selected="true"]'), otherTab: of('.tabs [aria-selected="false"]'), pressed: of('button[aria-pressed="true"]'), primary: of(".primary"), swatch: of(".row .swatch"), toggle: "", stripes: [] as string[] };
          probe.remove();
          const toggle = document.querySelector(".row .toggle.open");
          if (toggle) all.toggle = getComputedStyle(toggle, "::before").borderLeftColor;
          // what is painted behind the rows' labels: right of all bars
          const bars = document.querySelector<HTMLCanvasElement>("canvas.bars");
          if (bars) {
            const copy = document.createElement("canvas");
            copy.width = bars.width;
            copy.height = bars.height;
            const g = copy.getContext("2d", { willReadFrequently: true })!;
            g.fillStyle = getComputedStyle(document.body).backgroundColor;
            g.fillRect(0, 0, copy.width, copy.height);
            g.drawImage(bars, 0, 0);
            for (let line = 1; line < 7; line++) all.stripes.push([...g.getImageData(copy.width - 10, line * 26 + 3, 1, 1).data.slice(0, 3)].join());
          }
          return all;
        });
      await page.goto(`${server.url}/trace/${big.id}?fold=none`);
      await page.locator(".grid .row").first().waitFor();
      const t = await see();
      expect(t.body).toEqual({ color: t.text, background: t.canvas });
      expect(t.text).not.toBe(t.canvas);
      expect(new Set(t.stripes)).toEqual(new Set([t.canvas])); // the rows' text is readable on what is painted
      expect(t.tab).toEqual({ color: t.highlightText, background: t.highlight }); // which is chosen is seen
      expect(t.pressed).toEqual(t.tab);
      expect(t.otherTab!.background).not.toBe(t.highlight);
      expect([t.canvas, t.text]).not.toContain(t.swatch!.background); // services keep their colours
      expect(t.toggle).toBe("rgba(0, 0, 0, 0)"); // a triangle, not a square
      await page.screenshot({ path: artifacts(`forced-colors-trace-${colorScheme}.png`) });
      for (const name of ["search", "trace", "statistics", "flame", "map", "errors", "mesh", "files"]) {
        await page.goto(server.url + routes[name]);
        await page.waitForFunction(() => !document.querySelector(".loading") && document.querySelector("main")?.children.length);
        await page.waitForLoadState("networkidle", { timeout: 1500 }).catch(() => {});
        const s = await see();
        for (const part of [s.primary, s.tab, s.pressed, s.body]) if (part) expect.soft(part.color, name).not.toBe(part.background);
        await page.screenshot({ path: artifacts(`forced-colors-${name}-${colorScheme}.png`) });
      }
      expect(problems).toEqual([]);
      await page.context().close();
    });

  test("motion is for those who do not mind it", async () => {
    for (const [reducedMotion, moves] of [["reduce", false], ["no-preference", true]] as const) {
      const { page } = await openPage(browser, server, { reducedMotion });
      let moving: string[] = [];
      for (const [name, path] of Object.entries(routes)) {
        await page.goto(server.url + path);
        await page.waitForFunction(() => !document.querySelector(".loading") && document.querySelector("main")?.children.length);
        const found = await page.evaluate(() =>
          [...document.querySelectorAll("*")].filter((e) => {
            const s = getComputedStyle(e);
            return /[1-9]/.test(s.transitionDuration) || s.animationName !== "none" || s.scrollBehavior === "smooth";
          }).map((e) => e.tagName),
        );
        moving = [...moving, ...found.map((f) => `${name}: ${f}`)];
        expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
        if (moves && moving.length) break;
      }
      if (moves) expect(moving.length).toBeGreaterThan(0); // the test would see motion
      else expect(moving).toEqual([]);
      await page.context().close();
    }
  }, 120_000);
});

test("37: hostile values stay text, a megabyte is cut until asked for", async () => {
  const { page, problems } = await openPage(browser, server);
  await page.goto(`${server.url}/trace/${hostile.traceId}?span=${hostile.id}&cols=${encodeURIComponent(`${evil},control,big`)}`);
  await page.locator("table.tags").first().waitFor();
  expect(await page.locator("main img, main script").count()).toBe(0);
  expect(await page.locator("main").evaluate((e) => e.textContent!.length)).toBeLessThan(64_000);
  expect(await page.locator(".detail").textContent()).toContain("\\u202ertl");
  await page.getByRole("button", { name: /show all/ }).click();
  expect(await page.locator(".detail").evaluate((e) => e.textContent!.length)).toBeGreaterThan(1_000_000);
  for (const path of ["/search?limit=50", `/search?limit=50&cols=${encodeURIComponent(`${evil},control,big`)}`, "/monitor", "/dependencies", "/errors", "/mesh", "/status", `/trace/${hostile.traceId}?view=flame`, `/trace/${hostile.traceId}?view=graph`, `/trace/${hostile.traceId}?view=spans`]) {
    await page.goto(server.url + path);
    await page.waitForFunction(() => !document.querySelector(".loading"));
    expect(await page.locator("main img[src=x]").count(), path).toBe(0);
    expect(await page.title(), path).not.toBe("owned");
  }
  expect(problems).toEqual([]);
  await page.context().close();
});

test("47: the service that drops trace headers is named, and only that one", async () => {
  const { page, problems } = await openPage(browser, server);
  await page.goto(server.url + "/mesh");
  await page.locator(".trouble strong").first().waitFor();
  expect(await page.locator(".trouble strong").allTextContents()).toEqual(["reviews.default"]);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("49: the map shows what was called and never answered, and its numbers are the API's", async () => {
  const { page, problems } = await openPage(browser, server);
  await page.goto(server.url + "/dependencies?focus=productpage.default&depth=1");
  await page.locator(".node.dead", { hasText: "ghost" }).waitFor();
  const api = (await (await fetch(`${server.url}/api/ui/v1/map?lookback=1h`)).json()) as { edges: { from: string; to: string; calls: number }[] };
  await page.goto(server.url + "/dependencies?view=table&focus=productpage.default&depth=1");
  const row = page.locator(".table .tbody .tr").filter({ hasText: "details" }).first();
  const edge = api.edges.find((e) => e.from === "productpage.default" && e.to === "details.default")!;
  expect(await row.locator("[role=cell]").nth(2).textContent()).toBe(String(edge.calls));
  await page.goto(server.url + "/dependencies");
  await page.locator(".edge-hit", { hasText: "productpage.default → details.default" }).dispatchEvent("click");
  const aside = page.locator("aside.detail");
  expect(await aside.textContent()).toContain(`${edge.calls} calls`);
  await page.reload();
  await aside.waitFor(); // the choice is in the address
  expect(await violations(page)).toEqual([]);
  await aside.getByRole("button", { name: "Caller" }).click();
  await aside.getByRole("button", { name: /ghost/ }).click();
  expect(await aside.textContent()).toMatch(/connection to the upstream failed/);
  const calls = await aside.textContent().then((t) => Number(/(\d+) calls/.exec(t!)![1]));
  await aside.getByRole("link", { name: "Errors" }).click();
  await expect.poll(() => page.locator(".traces .tbody [role=row]").count()).toBe(calls);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("49: 2,000 services are shown by namespace, and one of them when it is chosen", async () => {
  const { page, problems } = await openPage(browser, server);
  const nodes = Array.from({ length: 2000 }, (_, i) => ({ name: `s${i}.ns${i % 20}`, app: `s${i}`, namespace: `ns${i % 20}`, kind: "service", calls: 10, errors: i % 100 ? 0 : 1 }));
  const edges = nodes.slice(1).map((n, i) => ({ from: nodes[i >> 1]!.name, to: n.name, calls: 10, errors: n.errors, timed: 10, p95: 1000 }));
  await page.route("**/api/ui/v1/map?**", (r) => r.fulfill({ json: { nodes, edges, sample: { traces: 10, complete: true } } }));
  await page.goto(server.url + "/dependencies");
  await expect.poll(() => page.locator(".node").count()).toBe(20);
  await page.locator(".node", { hasText: "ns7" }).click();
  await expect.poll(() => page.locator(".node").count()).toBeGreaterThan(100); // and whom they call
  await page.goto(server.url + "/dependencies?view=table");
  expect(await page.locator(".table [role=row]").count()).toBeLessThan(120);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("45: errors are grouped and their flags explained", async () => {
  const { page, problems } = await openPage(browser, server);
  await page.goto(server.url + "/errors");
  const group = page.locator(".group").filter({ hasText: "ghost" });
  await group.waitFor();
  expect(await group.textContent()).toContain("connection to the upstream failed");
  await group.getByRole("link", { name: "All traces" }).click();
  await page.locator(".traces .tbody [role=row]").first().waitFor();
  expect(problems).toEqual([]);
  await page.context().close();
});

describe("1: under any base path", () => {
  /** A proxy that has /x/y before everything, as gateways do. */
  function prefixed(target: string): Promise<{ url: string; close: () => void }> {
    const s = createServer((q, a) => {
      if (!q.url!.startsWith("/x/y/")) return void a.writeHead(404).end();
      q.pipe(request(target + q.url!.slice(4), { method: q.method, headers: q.headers }, (r) => (a.writeHead(r.statusCode!, r.headers), r.pipe(a))));
    });
    return new Promise((done) => s.listen(0, "127.0.0.1", () => done({ url: `http://127.0.0.1:${(s.address() as AddressInfo).port}`, close: () => (s.closeAllConnections(), s.close()) })));
  }
  test("at the root, at /a/b, and behind a proxy that adds a prefix", async () => {
    const deep = await startServer("/a/b");
    await deep.zipkin(spans);
    const proxy = await prefixed(server.url);
    try {
      for (const url of [server.url, deep.url, proxy.url + "/x/y"]) {
        const { page, problems } = await openPage(browser, { ...server, url });
        for (const path of ["/", "/search?limit=5", `/trace/${dead.traceId}`]) {
          await page.goto(url + path);
          await page.locator(".tbody [role=row], .grid .row").first().waitFor();
        }
        await page.reload();
        await page.locator(".grid .row").first().waitFor();
        expect(problems, url).toEqual([]);
        await page.context().close();
      }
    } finally {
      proxy.close();
      await deep.stop();
    }
  }, 120_000);
});

test("27: an empty store shows what to do, and notices the first span", async () => {
  const empty = await startServer();
  try {
    const { page, problems } = await openPage(browser, empty);
    await page.goto(empty.url + "/search");
    await page.getByText("Nothing has been stored yet").waitFor();
    await expect.poll(() => page.locator(".checklist .done").count()).toBe(1);
    await empty.zipkin(synthetic(3, 1).spans);
    await expect.poll(() => page.locator(".checklist .done").count()).toBe(3);
    expect(problems).toEqual([]);
    await page.context().close();
  } finally {
    await empty.stop();
  }
});

test("57: script and style of a first load stay small", () => {
  const dist = join(repo, "ui/dist");
  const files = readdirSync(join(dist, "assets")).map((n) => ({ n, size: statSync(join(dist, "assets", n)).size }));
  const gz = (test: RegExp) => files.filter((f) => f.n.endsWith(".gz") && test.test(f.n)).reduce((s, f) => s + f.size, 0);
  const page = readFileSync(join(dist, "index.html"), "utf8");
  const first = [...page.matchAll(/assets\/([\w-]+\.js)/g)].map((m) => m[1]!);
  expect(first.length).toBeGreaterThan(0);
  expect(gz(/\.js\.gz$/), "all script, gzipped").toBeLessThanOrEqual(180_000);
  expect(gz(/\.css\.gz$/), "style, gzipped").toBeLessThanOrEqual(15_000);
  expect(files.reduce((s, f) => s + f.size, 0), "all that is embedded").toBeLessThanOrEqual(700_000);
});

test("make shots would notice a view or a drawing of one colour", async () => {
  const { page } = await openPage(browser, server, { viewport: { width: 200, height: 100 } });
  await page.setContent('<body style="margin:0;background:#123456"><canvas width=50 height=50></canvas><p style="background:linear-gradient(90deg,red,blue)">text');
  const parts = [{ x: 0, y: 0, width: 50, height: 50 }, { x: 0, y: 70, width: 200, height: 20 }, { x: 0, y: 0, width: 200, height: 100 }];
  const [canvas, text, whole] = colours(await page.screenshot(), parts);
  expect(canvas).toBe(1);
  expect(text).toBeGreaterThan(100); // every filter of a line is read right, or there were more
  expect(text).toBeLessThan(2000);
  expect(whole).toBeGreaterThan(text! - 1);
  await page.context().close();
});
