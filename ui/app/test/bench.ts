// Prints the figures of the page's size and speed: make bench-ui. Walked as the
// figures of other UIs were: 1440×900, cold cache, a new browser context a run,
// times taken inside the page, median of RUNS (3).
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { launch, openPage, repo, type Server, startServer, synthetic } from "./harness";

const runs = Number(process.env.RUNS ?? 3);
const sizes = (process.env.SIZES ?? "1000,10000,100000").split(",").map(Number);
const median = (x: number[]) => x.sort((a, b) => a - b)[Math.floor(x.length / 2)]!;
const ms = (n: number) => `${Math.round(n)} ms`;

/** Time from navigation until selector has n elements, and two frames more. */
const painted = `(() => { const [selector, n] = window.__want; const look = () => { if (window.__painted || document.querySelectorAll(selector).length < n) return; window.__painted = -1; requestAnimationFrame(() => requestAnimationFrame(() => { window.__painted = performance.now(); })); }; new MutationObserver(look).observe(document, { childList: true, subtree: true }); setInterval(look, 20); })()`;

async function visit(server: Server, path: string, selector: string, n: number, scroll: boolean) {
  const { page } = await openPage(browser, server);
  await page.addInitScript(`window.__want = ${JSON.stringify([selector, n])}; ${painted}`);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Network.enable");
  let script = 0;
  const scripts = new Set<string>();
  cdp.on("Network.responseReceived", (e) => e.type === "Script" && scripts.add(e.requestId));
  cdp.on("Network.loadingFinished", (e) => scripts.has(e.requestId) && (script += e.encodedDataLength));
  await page.waitForTimeout(800); // a new window's own pages load meanwhile, at the expense of ours
  await page.goto(server.url + path);
  await page.waitForFunction(() => (window as unknown as { __painted?: number }).__painted! > 0, undefined, { timeout: 120_000 });
  const first = (await page.evaluate("window.__painted")) as number;
  const elements = (await page.evaluate('document.getElementsByTagName("*").length')) as number;
  await page.waitForTimeout(1500);
  const heap = ((await cdp.send("Performance.enable")), (await cdp.send("Performance.getMetrics")).metrics.find((m) => m.name === "JSHeapUsedSize")!.value);
  let p50 = NaN, p95 = NaN, click = NaN;
  if (scroll) {
    const gaps = (await page.evaluate(`(async () => { const g = document.querySelector(".grid"); const out = []; let dir = 1, t = performance.now(); for (let i = 0; i < 120; i++) { const before = g.scrollTop; g.scrollTop += dir * 997; if (g.scrollTop === before) dir = -dir; await new Promise(requestAnimationFrame); const n = performance.now(); out.push(n - t); t = n; } return out; })()`)) as number[];
    gaps.sort((a, b) => a - b);
    p50 = gaps[60]!;
    p95 = gaps[113]!;
    click = (await page.evaluate(`new Promise((done) => { const row = document.querySelectorAll(".grid .row:not([hidden])")[5]; const t = performance.now(); const look = new MutationObserver(() => { if (document.querySelector(".detail table.tags")) { look.disconnect(); requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - t))); } }); look.observe(document.body, { childList: true, subtree: true }); const r = row.getBoundingClientRect(); row.firstChild.dispatchEvent(new MouseEvent("click", { bubbles: true, clientX: r.left + 200, clientY: r.top + 10 })); })`)) as number;
  }
  await page.context().close();
  return { first, elements, heap, p50, p95, click, script };
}

/** Frames while 200 traces a second arrive in the list: p50 and p95. */
async function live(server: Server): Promise<[number, number]> {
  const { page } = await openPage(browser, server);
  await page.goto(server.url + "/search?live=1&service=rush");
  await page.getByText("No trace of rush is stored").waitFor();
  const trace = (n: number) => ({ traceId: (0x10_000_000 + n).toString(16).padStart(32, "0"), id: (n + 1).toString(16).padStart(16, "0"), name: "made", kind: "SERVER", timestamp: Date.now() * 1000, duration: 1000 + n, localEndpoint: { serviceName: "rush" }, tags: { "http.status_code": "200" } });
  const frames = page.evaluate("(async () => { const out = []; const end = performance.now() + 10_000; for (let t = performance.now(); t < end; ) { await new Promise(requestAnimationFrame); const n = performance.now(); out.push(n - t); t = n; } return out.sort((a, b) => a - b); })()") as Promise<number[]>;
  for (let i = 0; i < 100; i++) await Promise.all([server.zipkin(Array.from({ length: 20 }, (_, k) => trace(i * 20 + k))), page.waitForTimeout(100)]);
  const gaps = await frames;
  await page.context().close();
  return [gaps[Math.floor(gaps.length / 2)]!, gaps[Math.floor(gaps.length * 0.95)]!];
}

type Visit = Awaited<ReturnType<typeof visit>>;

const server = await startServer();
const browser = await launch();
try {
  const dist = join(repo, "ui/dist/assets");
  const bytes = (end: string) => readdirSync(dist).filter((n) => n.endsWith(end)).reduce((s, n) => s + statSync(join(dist, n)).size, 0);
  console.log(`all script gzipped ${bytes(".js.gz")} B, brotli ${bytes(".js.br")} B; style gzipped ${bytes(".css.gz")} B`);
  console.log("| spans | first rows painted | scroll frame p50 / p95 | click to details | elements | JS heap |");
  for (const n of sizes) {
    const t = synthetic(n, n % 97);
    await server.zipkin(t.spans);
    t.spans.length = 0;
    const all: Visit[] = [];
    for (let i = 0; i < runs; i++) all.push(await visit(server, `/trace/${t.id}`, ".grid .row", 10, true));
    const m = (k: keyof Visit) => median(all.map((a) => a[k]));
    console.log(`| ${n} | ${ms(m("first"))} | ${m("p50").toFixed(1)} / ${m("p95").toFixed(1)} ms | ${ms(m("click"))} | ${m("elements")} | ${(m("heap") / 1e6).toFixed(1)} MB |`);
  }
  for (let i = 0; i < 30; i++) await server.zipkin(synthetic(9, 5000 + i).spans);
  const all: Visit[] = [];
  for (let i = 0; i < runs; i++) all.push(await visit(server, "/search?service=made-1", ".traces .tbody [role=row]", 20, false));
  console.log(`search, 20 results painted: ${ms(median(all.map((a) => a.first)))}, ${median(all.map((a) => a.elements))} elements, script over the wire ${median(all.map((a) => a.script))} B`);
  console.log(`live tail at 200 traces a second for 10 s: frame p50 / p95 ${(await live(server)).map((x) => x.toFixed(1)).join(" / ")} ms`);
} finally {
  await browser.close();
  await server.stop();
}
