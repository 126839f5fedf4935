// What every view does for every reader: one zone for all its times, and all of
// it within reach where the page is zoomed to 200 %.
import { expect, test } from "vitest";
import { recorded, synthetic } from "./harness";
import { byTrace, dead, fresh, id, page, server, spans, stage } from "./stage";

const big = synthetic(3000, 54);
stage(async (s) => {
  for (const x of [spans, recorded("broken-propagation"), big.spans]) await s.zipkin(x);
});

const other = [...byTrace.keys()].find((k) => k !== id)!;
const hour = [(Date.now() - 3600e3) * 1000, Date.now() * 1000];
const custom = `lookback=custom&start=${hour[0]}&end=${hour[1]}`;
const routes: Record<string, string> = {
  search: `/search?limit=50&${custom}`, "search as histogram": `/search?limit=50&chart=hist&${custom}`, trace: `/trace/${dead.traceId}?span=${dead.id}`, "a large trace": `/trace/${big.id}?cols=number`, flame: `/trace/${id}?view=flame`, graph: `/trace/${id}?view=graph`, statistics: `/trace/${id}?view=stats`, spans: `/trace/${id}?view=spans`, logs: `/trace/${id}?view=logs`,
  compare: `/trace/${id}...${other}`, "compare timelines": `/trace/${id}...${other}?mode=timeline`, "compare tags": `/trace/${id}...${other}?mode=attributes`, "what to compare with": `/trace/${id}...`,
  map: `/dependencies?${custom}`, "map as table": `/dependencies?view=table&${custom}`, services: `/monitor?${custom}`, service: `/monitor?service=reviews.default&${custom}`, errors: `/errors?${custom}`, mesh: `/mesh?${custom}`, status: "/status", files: "/upload", nowhere: "/nowhere",
};
async function visit(path: string) {
  await page.goto(server.url + path);
  await page.waitForFunction(() => !document.querySelector(".loading") && document.querySelector("main")?.children.length);
  await page.waitForLoadState("networkidle", { timeout: 1500 }).catch(() => {});
}

/** What the page says, in texts, tool tips, fields and drawings, that has a time of day in it. */
const clocks = () =>
  page.evaluate(() => {
    const drawn = (window as unknown as { drawn: Map<HTMLCanvasElement, string[]> }).drawn;
    const all: string[] = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) all.push(walk.currentNode.textContent!);
    for (const e of document.querySelectorAll<HTMLElement>("*")) all.push(e.title, e.getAttribute("aria-label") ?? "", e instanceof HTMLInputElement ? e.value : "");
    for (const [canvas, texts] of drawn) if (canvas.isConnected) all.push(...texts);
    return all.filter((t) => /\d\d:\d\d/.test(t) && !/\dT\d\d:\d\d:[\d.]+Z/.test(t)); // a command's times say that they are UTC
  });
const seconds = (t: string) => { const [, h, m, s] = /(\d\d):(\d\d)(?::(\d\d))?/.exec(t)!; return Number(h) * 3600 + Number(m) * 60 + Number(s ?? 0); };

test("54: UTC or local is for every time of every view, in tool tips, fields and charts too; the address keeps its µs", async () => {
  await fresh({ timezoneId: "Asia/Kolkata" }); // 5½ hours from UTC
  await page.addInitScript(() => {
    const drawn = ((window as unknown as { drawn: Map<HTMLCanvasElement, string[]> }).drawn = new Map());
    const { fillText, clearRect } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.clearRect = function (...a) { if (this.canvas.isConnected) drawn.set(this.canvas, []); clearRect.apply(this, a); };
    CanvasRenderingContext2D.prototype.fillText = function (t, ...a) { drawn.get(this.canvas)?.push(t); fillText.call(this, t, ...a); };
  });
  let told = 0;
  for (const [name, path] of Object.entries(routes)) {
    await visit(path);
    if (await page.getByRole("button", { name: "UTC", exact: true }).count()) await page.getByRole("button", { name: "UTC", exact: true }).click();
    const chart = page.locator(".chart canvas");
    if (await chart.count()) { // a tip stands over it
      const box = (await chart.boundingBox())!;
      for (let x = box.x + 60, y = box.y + 20; x < box.x + box.width && !(await page.locator(".chart .tip").count()); x += 12) for (y = box.y + 20; y < box.y + box.height - 30 && !(await page.locator(".chart .tip").count()); y += 9) await page.mouse.move(x, y);
      expect(await page.locator(".chart .tip").count()).toBe(1);
    }
    const local = await clocks(), address = page.url();
    await page.getByRole("button", { name: "Local", exact: true }).focus();
    await page.keyboard.press("Enter"); // the pointer stays where it is
    await page.getByRole("button", { name: "UTC", exact: true }).waitFor();
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    const utc = await clocks();
    expect(utc.length, name).toBe(local.length);
    for (const [i, t] of utc.entries()) expect((seconds(local[i]!) - seconds(t) + 86_400) % 86_400, `${name}: ${local[i]} is ${t}`).toBe(19_800);
    expect(page.url(), name).toBe(address);
    if (path.includes("start=")) expect(address, name).toContain(`start=${hour[0]}`);
    told += utc.length;
    if (/search|^trace|service|compare$|status|files/.test(name) && name !== "files") expect(utc.length, name).toBeGreaterThan(0);
  }
  expect(told).toBeGreaterThan(150);
}, 120_000);

test("54: the fields of a custom range are read in the zone that is shown", async () => {
  await fresh({ timezoneId: "Asia/Kolkata" });
  const start = Date.UTC(2026, 10, 24, 12) * 1000;
  await page.goto(`${server.url}/search?lookback=custom&start=${start}&end=${start + 60e6}`);
  const from = page.locator('input[type="datetime-local"]').first();
  expect(await from.inputValue()).toMatch(/^2026-11-24T17:30/);
  await page.getByRole("button", { name: "Local", exact: true }).click();
  await expect.poll(() => from.inputValue()).toMatch(/^2026-11-24T12:00/);
  await from.fill("2026-11-24T11:00:00");
  await page.getByRole("button", { name: "Find traces" }).click();
  await expect.poll(() => new URL(page.url()).searchParams.get("start")).toBe(String(start - 3600e6));
  expect(new URL(page.url()).searchParams.get("end")).toBe(String(start + 60e6));
});

test("55: zoomed to 200 %, every control of every view can be brought into view and clicked, and nothing scrolls sideways", async () => {
  await fresh({ viewport: { width: 720, height: 450 }, deviceScaleFactor: 2 }); // 1440×900 at 200 %
  for (const [name, path] of Object.entries(routes)) {
    await visit(path);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect.soft(wide, `${name} scrolls sideways`).toBeLessThanOrEqual(0);
    const out = await page.evaluate(() => {
      const controls = [...document.querySelectorAll<HTMLElement>("a[href], button, input, select, summary, [tabindex='0']")].filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest(".skip, .visually-hidden, svg") && !(e as HTMLButtonElement).disabled);
      return controls.filter((e) => {
        e.scrollIntoView({ block: "nearest", inline: "nearest" });
        if (e.getBoundingClientRect().top < 0 || e.closest(".tbody")) e.scrollIntoView({ block: "center", inline: "nearest" });
        const r = e.getBoundingClientRect();
        const x = Math.min(r.right, innerWidth) / 2 + Math.max(r.left, 0) / 2, y = Math.min(r.bottom, innerHeight) / 2 + Math.max(r.top, 0) / 2;
        const hit = document.elementFromPoint(x, y);
        return r.width > 0 && !(hit && (e.contains(hit) || hit.contains(e) || hit.closest("label")?.contains(e)));
      }).map((e) => e.outerHTML.slice(0, 120));
    });
    expect.soft(out, `${name}: out of reach`).toEqual([]);
    const grid = await page.locator(".grid").boundingBox({ timeout: 100 }).catch(() => null);
    if (grid) expect.soft(grid.height, `${name}: room for rows`).toBeGreaterThan(26 * 4);
  }
}, 120_000);
