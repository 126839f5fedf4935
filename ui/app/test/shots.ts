// Pictures of every view, light and dark, wide and narrow, for people to look at:
// make shots. Fails if a page logs an error, a request fails, what it should show
// does not come, or a view or one of its drawings is of one colour.
// In ui/app, vite-node test/shots.ts [view…] takes these alone; WHERE=dark-360 one kind of page.
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { artifacts, launch, openPage, recorded, repo, type Server, startServer, synthetic } from "./harness";
import { colours } from "./picture";

/** A view: where it is, what shows that it is there, what is done before the picture is taken. */
interface Shot { path: string; shows: string; then?: (page: Page) => Promise<unknown>; missing?: boolean; on?: "large" | "empty" }

const bookinfo = recorded("bookinfo"), torn = recorded("broken-propagation"), big = synthetic(10_000, 1);
const traces = new Map<string, typeof bookinfo>();
for (const s of bookinfo) traces.set(s.traceId, [...(traces.get(s.traceId) ?? []), s]);
const bySize = [...traces.entries()].sort((a, b) => b[1].length - a[1].length).map(([id]) => id);
const usual = bySize[0]!, small = bySize.at(-1)!;
const failed = bookinfo.find((s) => (s.tags as Record<string, string>).response_flags === "URX,UF")!;
const row = ".traces .tbody [role=row]", span = ".grid .row:not([hidden])", cell = ".table .tbody [role=row]", facts = ".detail table.tags";
const brush = `${Date.now() * 1000 - 3600e6},${Date.now() * 1000},40000,60000000`;
const drop = async (page: Page) => {
  await page.locator('input[type="file"]').setInputFiles({ name: "traces.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(bookinfo)) });
  await page.locator(row).first().waitFor();
};

const shots: Record<string, Shot> = {
  "explore": { path: "/search?limit=200", shows: row },
  "explore-heat": { path: "/search?limit=200&chart=heat", shows: row },
  "explore-histogram": { path: "/search?limit=200&chart=hist&facet=outcome:with%20errors", shows: row },
  "explore-selection": { path: `/search?limit=200&sel=${brush}`, shows: row, then: (p) => p.getByRole("button", { name: "What differs here?" }).click().then(() => p.locator("dialog[open] tbody tr").first().waitFor()) },
  "explore-chosen": { path: "/search?limit=200&cols=http.url", shows: row, then: async (p) => { for (const i of [0, 1]) await p.locator(row).nth(i).getByRole("checkbox").check(); } },
  "explore-nothing": { path: "/search?service=productpage.default&q=a%3Db", shows: ".nothing button" },
  "explore-empty": { path: "/search", shows: ".checklist", on: "empty" },
  "trace": { path: `/trace/${usual}`, shows: span },
  "trace-unfolded": { path: `/trace/${failed.traceId}?fold=none`, shows: span },
  "trace-span": { path: `/trace/${failed.traceId}?span=${failed.id}`, shows: facts },
  "trace-10000": { path: `/trace/${big.id}?zoom=2000000-4000000&cols=http.status_code,cache`, shows: span, on: "large" },
  "trace-errors": { path: `/trace/${big.id}?only=errors&q=made-3`, shows: span, on: "large" },
  "trace-root": { path: `/trace/${big.id}?root=${big.spans[3]!.id}&span=${big.spans[22]!.id}`, shows: facts, on: "large" },
  "trace-flame": { path: `/trace/${big.id}?view=flame`, shows: ".flame-box canvas", on: "large" },
  "trace-graph": { path: `/trace/${usual}?view=graph`, shows: ".node" },
  "trace-statistics": { path: `/trace/${usual}?view=stats&group=revision`, shows: cell },
  "trace-spans": { path: `/trace/${usual}?view=spans`, shows: cell },
  "trace-logs": { path: `/trace/${usual}?view=logs`, shows: cell },
  "trace-unknown": { path: "/trace/0123456789abcdef0123456789abcdef", shows: "text=This trace is not stored", missing: true },
  "compare": { path: `/trace/${usual}...${small}`, shows: cell },
  "compare-timelines": { path: `/trace/${usual}...${small}?mode=timeline`, shows: ".lane i" },
  "compare-graph": { path: `/trace/${usual}...${small}?mode=graph`, shows: ".node" },
  "compare-attributes": { path: `/trace/${usual}...${small}?mode=attributes`, shows: cell },
  "compare-choose": { path: `/trace/${usual}...`, shows: cell },
  "map": { path: "/dependencies", shows: ".node" },
  "map-focus": { path: "/dependencies?focus=productpage.default&depth=1&call=productpage.default%20reviews.default", shows: "aside.detail" },
  "map-table": { path: "/dependencies?view=table", shows: cell },
  "services": { path: "/monitor", shows: cell },
  "service": { path: "/monitor?service=reviews.default", shows: "table" },
  "errors": { path: "/errors", shows: ".group" },
  "mesh": { path: "/mesh", shows: ".trouble strong" },
  "status": { path: "/status", shows: ".card .figure" },
  "import": { path: "/upload", shows: ".drop" },
  "import-opened": { path: "/upload", shows: ".drop", then: drop },
  "keyboard": { path: "/status", shows: ".card .figure", then: (p) => p.keyboard.press("?").then(() => p.locator("dialog[open]").waitFor()) },
  "nowhere": { path: "/nowhere", shows: "text=No such page" },
};

const wrong: string[] = [];
let taken = 0;

/** Takes one picture; notes what is wrong with it. */
async function take(page: Page, name: string, where: string, s: Shot, server: Server, problems: string[]) {
  const file = artifacts(`${name}-${where}.png`), title = `${name}-${where}`;
  await page.goto(server.url + s.path);
  try {
    await page.locator(s.shows).first().waitFor({ timeout: 10_000 });
    await s.then?.(page);
    await page.waitForFunction(() => !document.querySelector(".loading"), undefined, { timeout: 10_000 });
  } catch (e) {
    wrong.push(`${title}: ${(e as Error).message.split("\n")[0]}`);
  }
  await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"); // what is drawn follows what is there
  const png = await page.screenshot({ path: file });
  const parts = await page.evaluate(() => [...document.querySelectorAll("main, main canvas, .graph-view")].map((e) => ({ ...(e.getBoundingClientRect().toJSON() as { x: number; y: number; width: number; height: number }), what: e.className || e.localName })));
  const inView = parts.filter((b) => b.y < page.viewportSize()!.height);
  for (const [i, n] of colours(png, inView).entries()) if (n < 2) wrong.push(`${title}: ${inView[i]!.what} is of one colour`);
  // a trace that is not stored is answered 404, and the browser says so
  wrong.push(...problems.splice(0).filter((p) => !s.missing || !/status of 404/.test(p)).map((p) => `${title}: ${p}`));
  console.log(`${title}.png ${Math.round(statSync(file).size / 1000)} kB`);
  taken++;
}

/** Goes through the views that a server has, on one kind of page. */
async function tour(server: Server, on: Shot["on"], theme: "light" | "dark", width: number) {
  const where = `${theme}-${width}`;
  if (process.env.WHERE && process.env.WHERE !== where) return;
  const { page, problems } = await openPage(browser, server, { colorScheme: theme, viewport: { width, height: width > 500 ? 900 : 780 } });
  page.on("requestfailed", (r) => r.failure()?.errorText !== "net::ERR_ABORTED" && problems.push(`request failed: ${r.url()} ${r.failure()?.errorText}`)); // aborted: the page has gone on
  page.on("response", (r) => r.status() >= 400 && problems.push(`status of ${r.status()}: ${r.url()}`));
  const wanted = process.argv.slice(2).filter((a) => a in shots);
  for (const [name, s] of Object.entries(shots)) if (s.on === on && (!wanted.length || wanted.includes(name))) await take(page, name, where, s, server, problems);
  await page.context().close();
}

const servers = await Promise.all([startServer(), startServer(), startServer()]), [mesh, large] = servers;
const browser: Browser = await launch();
try {
  for (const spans of [bookinfo, torn]) await mesh.zipkin(spans);
  execFileSync(join(repo, "bin/spandrel"), ["demo", `--collector=${mesh.collector}`, "--history=40m", "--rate=1", "--duration=10ms", "--seed=7"], { stdio: "ignore" });
  await large.zipkin(big.spans);
  await Promise.all(([["light", 1440], ["dark", 1440], ["light", 360], ["dark", 360]] as const).map(async ([theme, width]) => {
    for (const [i, on] of [undefined, "large", "empty"].entries()) await tour(servers[i]!, on as Shot["on"], theme, width);
  }));
} finally {
  await browser.close();
  await Promise.all(servers.map((s) => s.stop()));
}
if (!taken) wrong.push("no picture was taken");
for (const w of wrong) console.error(w);
process.exitCode = wrong.length ? 1 : 0;
