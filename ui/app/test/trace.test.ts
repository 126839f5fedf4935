// Acceptance criteria of the trace page, and the click paths of an operator.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { artifacts, launch, openPage, recorded, type Server, startServer, synthetic, violations } from "./harness";

let server: Server, browser: Browser, page: Page, problems: string[];
const spans = recorded("bookinfo");
const tag = (s: (typeof spans)[number], k: string) => (s.tags as Record<string, string>)[k] ?? "";
const byTrace = new Map<string, typeof spans>();
for (const s of spans) byTrace.set(s.traceId, [...(byTrace.get(s.traceId) ?? []), s]);
const whole = [...byTrace.values()].filter((t) => t.length === 8 && t.some((s) => !s.parentId))[0]!;
const id = whole[0]!.traceId;
const dead = spans.find((s) => tag(s, "response_flags") === "URX,UF")!;
const big = synthetic(10_000, 1);
const chain = synthetic(2000, 2, "chain"), flat = synthetic(10_000, 3, "flat");

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer("", ["--query.max-clock-skew-adjustment=10s"]), launch()]);
  for (const s of [spans, recorded("shared-context"), big.spans, chain.spans, flat.spans]) await server.zipkin(s);
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});
afterEach(async () => {
  await page.context().close();
  expect(problems).toEqual([]);
});

async function open(path: string, options = {}) {
  ({ page, problems } = await openPage(browser, server, options));
  await page.goto(server.url + path);
  await page.locator(".grid .row, .table, canvas, .graph-view").first().waitFor();
}
const params = () => new URL(page.url()).searchParams;
const rows = () => page.locator(".grid .row:not([hidden])");
const grid = () => page.locator(".grid");
const count = () => grid().getAttribute("aria-rowcount").then(Number);
const elements = () => page.evaluate(() => document.getElementsByTagName("*").length);
const texts = () => rows().evaluateAll((rs) => rs.map((r) => (r as HTMLElement).innerText.replace(/\s+/g, " ")));

test("7: ids in any form lead to the canonical one, the rest of the address stays", async () => {
  await open(`/trace/${id.toUpperCase()}?view=spans`);
  await expect.poll(() => page.url()).toBe(`${server.url}/trace/${id}?view=spans`);
  await page.context().close();
  await open(`/trace/${BigInt("0x" + big.id).toString(16)}`);
  await expect.poll(() => page.url()).toContain(`/trace/${big.id}`);
});

test("28: what a page shows first is asked for once, however early", async () => {
  for (const [path, asked] of [[`/trace/${id}`, /\/skeleton/], [`/trace/${id}?cols=http.url`, /\/skeleton/], [`/trace/${id}?svcFilter=stale`, /\/skeleton/], ["/search?service=reviews.default", /\/search\?end=/]] as const) {
    ({ page, problems } = await openPage(browser, server));
    const requests: string[] = [];
    page.on("request", (r) => asked.test(r.url()) && r.url().includes("/api/") && requests.push(r.url()));
    await page.goto(server.url + path);
    await page.locator(".grid .row, .traces [role=row]").first().waitFor();
    await page.waitForLoadState("networkidle");
    expect(requests, path).toHaveLength(1);
    expect(problems, path).toEqual([]);
    if (asked.source.includes("skeleton")) await page.context().close();
  }
});

test("8: uiFind scrolls to the span, selects it and opens its details", async () => {
  const s = big.spans[9000]!;
  await open(`/trace/${big.id}?uiFind=${s.id}`);
  await page.locator(".row.selected").waitFor();
  await page.locator(".detail table.tags").first().waitFor();
  expect(await page.locator(".detail").textContent()).toContain(s.id);
  expect(params().get("uiFind")).toBe(s.id);
});

test("8: a span that is in view anyway does not move the rows; one far down comes into the middle", async () => {
  await open(`/trace/${big.id}?fold=none&span=${big.spans[1]!.id}`);
  await page.locator(".row.selected").waitFor();
  expect(await grid().evaluate((e) => e.scrollTop)).toBe(0);
  await page.goto(`${server.url}/trace/${big.id}?fold=none&span=${big.spans[9000]!.id}`);
  await page.locator(".row.selected").waitFor();
  const [row, box] = [(await page.locator(".row.selected").boundingBox())!, (await grid().boundingBox())!];
  expect(row.y - box.y).toBeGreaterThan(box.height / 5);
  expect(row.y - box.y).toBeLessThan((box.height * 4) / 5);
});

test("8: with shared ids both halves are shown, the server's first", async () => {
  const s = recorded("shared-context").find((x) => x.kind === "SERVER" && x.shared)!;
  await open(`/trace/${s.traceId}?uiFind=${s.id}`);
  await page.locator(".halves button").nth(1).waitFor();
  expect(await page.locator(".halves button").first().textContent()).toContain("server");
});

describe("44 and the click paths of the table", () => {
  test("sidecar pairs are folded into hops for the whole trace; one key shows both halves", async () => {
    await open(`/trace/${id}`);
    expect(await count()).toBe(whole.length / 2);
    const all = (await texts()).join("\n");
    expect(all).toMatch(/istio-ingressgateway\S* → productpage v1/);
    expect(all).toMatch(/productpage → details v1/);
    await page.keyboard.press("h");
    expect(await count()).toBe(whole.length);
    await expect.poll(() => params().get("fold")).toBe("none");
    await page.keyboard.press("h");
    expect(await count()).toBe(whole.length / 2);
  });
  test("response flag, chosen upstream and pod stand in the row, without a click, explained", async () => {
    await open(`/trace/${dead.traceId}`);
    const row = rows().filter({ hasText: "URX" });
    expect(await row.innerText()).toMatch(/productpage\s*→ ghost :9080/);
    expect(await row.locator(".chip.flag").allTextContents()).toEqual(["URX", "UF"]);
    expect(await row.locator(".chip.flag").nth(1).getAttribute("title")).toContain("connection to the upstream failed");
    expect((await texts()).join()).toMatch(/→ reviews v2.*reviews-v2-67894999b5-abcd3/);
  });
  test("names are cut where they say nothing", async () => {
    await open(`/trace/${id}`);
    expect((await texts()).join()).not.toMatch(/svc\.cluster\.local|9080\/\*/);
  });
  test("the first error of 10,000 spans is one key away, and each comes once", async () => {
    await open(`/trace/${big.id}`);
    const wrong = big.spans.filter((s) => tag(s, "error") === "true").length;
    expect(await page.locator(".error-jump").textContent()).toContain(`${wrong} errors`);
    const seen: string[] = [];
    for (let i = 0; i < wrong; i++) {
      await page.keyboard.press("e");
      await page.locator(".row.selected.wrong").waitFor();
      await expect.poll(() => params().get("span")).not.toBe(seen.at(-1) ?? null);
      seen.push(params().get("span")!);
    }
    expect(new Set(seen).size).toBe(wrong);
    await page.keyboard.press("e");
    await expect.poll(() => params().get("span")).toBe(seen[0]);
    await page.keyboard.press("Shift+E");
    await expect.poll(() => params().get("span")).toBe(seen.at(-1));
  });
  test("p50 and p95 by revision", async () => {
    await open(`/trace/${id}?view=stats&group=revision`);
    await expect.poll(() => page.locator(".table").textContent()).toContain("reviews v2");
    expect(await page.getByRole("columnheader", { name: "p95" }).count()).toBe(1);
  });
  test("42: groups are divided by a second tag", async () => {
    await open(`/trace/${id}?view=stats`);
    const then = page.getByLabel("then by");
    await then.fill("http.method");
    await then.press("Enter");
    const want = new Map<string, number>();
    for (const s of whole) {
      const key = `${(s.localEndpoint as { serviceName: string }).serviceName} · ${tag(s, "http.method") || "(none)"}`;
      want.set(key, (want.get(key) ?? 0) + 1);
    }
    const got = () => page.locator(".table .tbody [role=row]").evaluateAll((rs) => Object.fromEntries(rs.map((r) => [r.children[0]!.textContent, Number(r.children[1]!.textContent)])));
    await expect.poll(got).toEqual(Object.fromEntries(want));
    await expect.poll(() => params().get("then")).toBe("http.method");
  });
  test("several words in find mean and, and the view is in the link", async () => {
    await open(`/trace/${dead.traceId}`);
    await page.keyboard.press("Control+b");
    await page.keyboard.type("productpage error");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.locator(".found").first().textContent()).toMatch(/^(1 of )?1 match$/); // Enter may come after the answer: then it goes to the match
    await page.getByRole("button", { name: "Only matches" }).click();
    await expect.poll(() => params().get("mode")).toBe("filter");
    const link = page.url(), shown = await texts();
    await page.context().close();
    ({ page, problems } = await openPage(browser, server));
    await page.goto(link);
    await rows().first().waitFor();
    await expect.poll(texts).toEqual(shown);
  });
});

describe("28, 29, 38: size and shape", () => {
  for (const [name, t] of [["10,000 spans", big], ["a chain of 2,000", chain], ["10,000 children of one", flat]] as const)
    test(`${name}: at most 2,500 elements, and the last row is reached`, async () => {
      await open(`/trace/${t.id}?fold=none`);
      expect(await count()).toBe(t.spans.length);
      await grid().evaluate((e) => e.scrollTo(0, e.scrollHeight / 2));
      await grid().evaluate((e) => e.scrollTo(0, e.scrollHeight));
      await expect.poll(async () => Number(await rows().last().getAttribute("aria-rowindex"))).toBe(t.spans.length);
      expect(await elements()).toBeLessThanOrEqual(2500);
    });
});

test("30: collapse and expand", async () => {
  await open(`/trace/${big.id}`);
  await page.keyboard.press("]");
  expect(await count()).toBe(1);
  await page.keyboard.press("o");
  expect(await count()).toBe(8);
  await page.keyboard.press("[");
  expect(await count()).toBe(10_000);
  await page.keyboard.press("p");
  expect(await count()).toBeLessThan(10_000);
});

test("31: dragging on the minimap, keys and the address agree", async () => {
  await open(`/trace/${big.id}`);
  const box = (await page.locator(".minimap").boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.25, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 20, { steps: 3 });
  await page.mouse.up();
  await expect.poll(() => params().get("zoom")).toBeTruthy();
  const [a, b] = params().get("zoom")!.split("-").map(Number) as [number, number];
  expect(Math.abs(a - 2.5e6)).toBeLessThan(3e4);
  expect(Math.abs(b - 5e6)).toBeLessThan(3e4);
  await page.keyboard.press("d");
  await expect.poll(() => Number(params().get("zoom")?.split("-")[0])).toBeGreaterThan(a);
  await page.keyboard.press("ArrowUp");
  await expect.poll(() => { const [x, y] = params().get("zoom")!.split("-").map(Number) as [number, number]; return y - x; }).toBeLessThan(b - a);
  await page.getByRole("button", { name: "Whole trace" }).click();
  await expect.poll(() => params().get("zoom")).toBeNull();
});

test("31: the ruler, the wheel and the address agree; no less than 1 µs", async () => {
  await open(`/trace/${big.id}?zoom=2000000-4000000`);
  const zoom = () => params().get("zoom")?.split("-").map(Number) as [number, number];
  const ruler = (await page.locator(".ruler").boundingBox())!;
  const near = (got: number, want: number, width: number) => expect(Math.abs(got - want), `${got} for ${want}`).toBeLessThan((2 * width) / ruler.width); // a pixel, and its rounding
  await page.mouse.move(ruler.x + ruler.width * 0.25, ruler.y + 10);
  await page.mouse.down();
  await page.mouse.move(ruler.x + ruler.width * 0.75, ruler.y + 10, { steps: 3 });
  await page.mouse.up();
  await expect.poll(() => zoom()[0]).toBeGreaterThan(2_000_000);
  near(zoom()[0], 2_500_000, 2_000_000);
  near(zoom()[1], 3_500_000, 2_000_000);
  const box = (await grid().boundingBox())!;
  await page.mouse.move(ruler.x + ruler.width * 0.5, box.y + 100);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -100);
  await page.keyboard.up("Control");
  await expect.poll(() => zoom()[1] - zoom()[0]).toBeLessThan(900_000);
  near((zoom()[0] + zoom()[1]) / 2, 3_000_000, 1_000_000); // what is under the pointer stays
  await page.locator(".ruler").dblclick();
  await expect.poll(() => params().has("zoom")).toBe(false);
  await page.goto(`${server.url}/trace/${big.id}?zoom=3000000.25-3000000.5`);
  await rows().first().waitFor();
  await page.keyboard.press("ArrowUp");
  await expect.poll(() => zoom()[1] - zoom()[0]).toBe(1);
  await page.keyboard.press("0");
  await expect.poll(() => params().has("zoom")).toBe(false);
});

test("51: search, trace, error, link and comparison by keyboard alone", async () => {
  ({ page, problems } = await openPage(browser, server, { permissions: ["clipboard-read", "clipboard-write"] }));
  await page.goto(`${server.url}/search?service=productpage.default&q=error&limit=50`);
  await page.locator(".traces .tbody [role=row]").first().waitFor();
  const focus = () => page.evaluate(() => {
    const e = document.activeElement!;
    const c = getComputedStyle(e), row = e.closest("[role=row]");
    return c.outlineStyle !== "none" || (row !== null && getComputedStyle(row).boxShadow !== "none") || e.matches(".grid");
  });
  await page.keyboard.press("j");
  expect(await focus()).toBe(true);
  await page.keyboard.press("Enter");
  await page.locator(".error-jump").waitFor();
  await page.keyboard.press("e");
  await page.locator(".row.selected.wrong").waitFor();
  await expect.poll(() => params().has("span")).toBe(true);
  await page.keyboard.press("y");
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(page.url());
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
  await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
  await page.keyboard.press("Escape"); // and the details
  await page.getByRole("link", { name: "Compare" }).focus();
  await page.keyboard.press("Enter");
  const choice = page.getByRole("table", { name: "Traces to compare with" }).locator(".tbody button").first();
  await choice.waitFor();
  for (let i = 0; i < 40 && !(await choice.evaluate((e) => e === document.activeElement)); i++) {
    await page.keyboard.press("Tab");
    expect(await focus(), await page.evaluate(() => document.activeElement!.outerHTML.slice(0, 200))).toBe(true);
  }
  await page.keyboard.press("Enter");
  await page.locator(".table .tr.open").first().waitFor();
  expect(page.url()).toMatch(/\/trace\/[0-9a-f]+\.\.\.[0-9a-f]+/);
});

test("32: ? lists the keys; s and w scroll; esc closes", async () => {
  await open(`/trace/${big.id}`);
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("s");
  expect(await grid().evaluate((e) => e.scrollTop)).toBeGreaterThan(0);
  await page.keyboard.press("w");
  expect(await grid().evaluate((e) => e.scrollTop)).toBe(0);
});

test("34: only errors keeps what leads to them, says how many rows, and shows what is left out where one asks for it", async () => {
  await open(`/trace/${big.id}`);
  const kept = new Set<string | undefined>();
  const by = new Map(big.spans.map((s) => [s.id, s]));
  for (const s of big.spans) if (tag(s, "error") === "true") for (let at: typeof s | undefined = s; at; at = by.get(at.parentId as string)) kept.add(at.id);
  await page.getByRole("button", { name: "Only errors" }).click();
  await expect.poll(() => page.locator(".filter-bar .found").last().textContent()).toBe(`${kept.size} rows shown`);
  const leftOut = page.locator(".row.left-out:not([hidden])");
  const before = await count();
  const below = (id: string): number => big.spans.reduce((n, s) => n + (s.parentId === id ? 1 + below(s.id) : 0), 0);
  const [, second] = (await leftOut.first().innerText()).match(/^([\d,]+) spans hidden$/)!;
  const parents = [big.spans[0]!.id, ...big.spans.filter((s) => kept.has(s.id)).map((s) => s.id)];
  const sums = parents.map((p) => big.spans.filter((s) => s.parentId === p && !kept.has(s.id)).reduce((n, s) => n + 1 + below(s.id), 0));
  expect(sums).toContain(Number(second!.replace(",", "")));
  await leftOut.first().click();
  expect(await leftOut.first().getAttribute("aria-expanded")).toBe("true");
  expect(await count()).toBe(before + Number(second!.replace(",", "")));
  await leftOut.first().click();
  expect(await count()).toBe(before);
  await page.getByRole("button", { name: /Show all/ }).click();
  expect(await count()).toBe(10_000);
  expect(await leftOut.count()).toBe(0);
});

test("39: late spans are offered and merged without losing the place", async () => {
  const t = synthetic(50, 77);
  await server.zipkin(t.spans.slice(0, 45));
  await open(`/trace/${t.id}?span=${t.spans[9]!.id}`);
  await page.locator(".row.selected").waitFor();
  await server.zipkin(t.spans.slice(45));
  const late = page.getByRole("button", { name: /late spans/ });
  await late.waitFor({ timeout: 8000 });
  await late.click();
  expect(await count()).toBe(50);
  expect(params().get("span")).toBe(t.spans[9]!.id);
  await page.locator(".row.selected").waitFor();
});

test("41: every view opens by its address and shares the selection", async () => {
  await open(`/trace/${id}?view=flame`);
  for (const [view, name] of [["graph", "Graph"], ["stats", "Statistics"], ["logs", "Logs"], ["spans", "Spans"]] as const) {
    await page.getByRole("tab", { name, exact: true }).click();
    await expect.poll(() => params().get("view")).toBe(view);
  }
  await page.locator(".table .tr.open").first().click();
  await page.locator(".detail h2").waitFor();
  await page.getByRole("tab", { name: "Timeline" }).click();
  await page.locator(".row.selected").waitFor();
});

test("41: the logs are all events of the trace in order, found with the trace's find, and open their span", async () => {
  const events = whole.flatMap((s) => (s.annotations ?? []).map((a) => ({ at: a.timestamp, name: (a as { value?: string }).value })));
  events.sort((a, b) => a.at - b.at);
  await open(`/trace/${id}?view=logs`);
  const lines = page.locator(".table .tbody [role=row]");
  const names = () => lines.locator("[role=cell]:nth-child(4)").allTextContents();
  await expect.poll(names).toEqual(events.map((e) => e.name));
  await page.keyboard.press("Control+b");
  await page.keyboard.type("service=reviews.default span.kind=server");
  await expect.poll(names).toEqual(["ss"]);
  await lines.first().click();
  await page.locator(".detail h2").waitFor();
  expect(await page.locator(".detail h2").textContent()).toContain("reviews");
  expect(await lines.first().getAttribute("class")).toContain("selected");
  await page.getByRole("button", { name: "Without cr, ss" }).click();
  await expect.poll(names).toEqual([]);
  expect(params().get("marks")).toBe("0");
  await expect.poll(() => params().get("q")).toBeTruthy();
  await page.reload();
  await expect.poll(() => page.locator(".panel-fill strong").textContent()).toBe("0 events");
});

test("41: many events, of which only those in view are in the document", async () => {
  const t = synthetic(3000, 41);
  for (const [i, s] of t.spans.entries()) s.annotations = [{ timestamp: s.timestamp!, value: `began ${i}` }, { timestamp: s.timestamp! + 1, value: `went on ${i}` }] as never;
  await server.zipkin(t.spans);
  await open(`/trace/${t.id}?view=logs`);
  await expect.poll(() => page.locator(".panel-fill strong").textContent()).toBe("6,000 events");
  const table = page.getByRole("table", { name: "Events" });
  expect(await table.getAttribute("aria-rowcount")).toBe("6001");
  await table.evaluate((e) => e.scrollTo(0, e.scrollHeight));
  await expect.poll(() => page.locator(".table .tbody [role=row]").last().getAttribute("aria-rowindex")).toBe("6001");
  expect(await elements()).toBeLessThanOrEqual(2500);
  const times = (await (await fetch(`${server.url}/api/ui/v1/traces/${t.id}/events`)).json()) as { events: { at: number; row: number; name: string }[] };
  expect(times.events.every((e, i) => i === 0 || e.at >= times.events[i - 1]!.at)).toBe(true);
  expect(new Set(times.events.map((e) => e.name)).size).toBe(6000);
});

test("a span can be shown as the root: rows, errors, times and finds are of the part, by address, and one key goes back", async () => {
  const parent = (i: number) => Math.floor((i - 1) / 7);
  const below = (root: number) => big.spans.map((_, i) => i).filter((i) => { for (let at = i; at >= root; at = parent(at)) if (at === root) return true; return false; });
  const part = below(3), errors = part.filter((i) => i % 997 === 996).length;
  expect(errors).toBeGreaterThan(0);
  await open(`/trace/${big.id}?fold=none&span=${big.spans[3]!.id}`);
  await page.locator(".row.selected").waitFor();
  await page.keyboard.press("r");
  expect(await count()).toBe(part.length);
  await expect.poll(() => params().get("root")).toBe(big.spans[3]!.id);
  expect(await page.locator(".error-jump").textContent()).toContain(`${errors} errors`);
  expect(await page.locator(".trace-head").textContent()).toContain(`${part.length.toLocaleString("en")} spans`);
  await expect.poll(() => page.locator(".ruler .last").textContent()).toBe(await page.locator(".row .took").first().textContent()); // the span is the whole width
  const wanted = big.spans.filter((s, i) => part.includes(i) && Number((s.tags as Record<string, string>).number) > 9000).length;
  await page.keyboard.press("Control+b");
  await page.keyboard.type("number>9000 ");
  await expect.poll(() => page.locator(".found").first().textContent()).toContain(`${wanted} match`);
  await page.keyboard.press("Enter");
  await page.locator(".detail table.tags").first().waitFor();
  await expect.poll(() => part.map((i) => big.spans[i]!.id).includes(params().get("span")!)).toBe(true);
  for (const view of ["spans", "logs", "flame", "graph", "stats"]) {
    await page.goto(`${server.url}/trace/${big.id}?fold=none&root=${big.spans[3]!.id}&view=${view}`);
    await page.locator(".table, canvas, .graph-view").first().waitFor();
    if (view === "spans") expect(await page.locator(".table").getAttribute("aria-rowcount")).toBe(String(part.length + 1));
  }
  await page.goto(`${server.url}/trace/${big.id}?fold=none&root=${big.spans[3]!.id}&span=${big.spans[22]!.id}`);
  await page.locator(".row.selected").waitFor();
  expect(await count()).toBe(part.length);
  await page.getByRole("button", { name: "Show the whole trace" }).click();
  expect(await count()).toBe(10_000);
  expect(params().get("span")).toBe(big.spans[22]!.id);
  await page.getByRole("button", { name: "Show as root" }).click();
  expect(await count()).toBe(below(22).length);
  await page.keyboard.press("Shift+R");
  expect(await count()).toBe(10_000);
  await expect.poll(() => params().get("root")).toBeNull();
});

test("late spans come into the part that is shown", async () => {
  const t = synthetic(50, 78);
  await server.zipkin(t.spans.slice(0, 15));
  await open(`/trace/${t.id}?fold=none&root=${t.spans[2]!.id}`);
  await page.locator(".grid .row").first().waitFor();
  expect(await count()).toBe(1); // 15 to 21 are its children
  await server.zipkin(t.spans.slice(15));
  const late = page.getByRole("button", { name: /35 late spans/ });
  await late.waitFor({ timeout: 8000 });
  await late.click();
  expect(await count()).toBe(8);
  await page.getByRole("button", { name: "Show the whole trace" }).click();
  expect(await count()).toBe(50);
});

test("details say how the duration stands among spans of the same kind, asked when one stays", async () => {
  const asked: string[] = [];
  await open(`/trace/${id}?fold=none`);
  page.on("request", (r) => r.url().includes("/standing?") && asked.push(r.url()));
  const like = (s: (typeof spans)[number]) => [...spans, ...recorded("shared-context")].filter((o) => o.name === s.name && o.kind === s.kind && JSON.stringify(o.localEndpoint).includes(`"${(s.localEndpoint as { serviceName: string }).serviceName}"`));
  const server_ = whole.find((s) => s.kind === "SERVER" && like(s).length > 20)!;
  const others = like(server_).length - 1, faster = like(server_).filter((o) => (o.duration as number) < (server_.duration as number)).length;
  for (const s of whole.slice(0, 4)) {
    await page.keyboard.press("f"); // stepping on asks nothing
    void s;
  }
  await page.goto(`${page.url().split("?")[0]}?fold=none&span=${server_.id}`);
  await expect.poll(() => page.locator(".standing").textContent()).toContain("within half an hour");
  const text = (await page.locator(".standing").textContent())!;
  expect(text).toContain(`of ${others} like it`.replace(/^of (\d+)/, faster === others ? "all $1" : "of $1"));
  const share = /slower than ([\d.]+) %/.exec(text);
  if (share) expect(Math.abs(Number(share[1]) - (100 * faster) / others)).toBeLessThanOrEqual(0.5);
  expect(asked.length).toBe(1);
});

test("51: rows are a treegrid that the keyboard walks", async () => {
  await open(`/trace/${id}`);
  await grid().focus();
  expect(await grid().getAttribute("role")).toBe("treegrid");
  const level = () => page.locator(".row.cursor").getAttribute("aria-level").then(Number);
  const active = () => grid().getAttribute("aria-activedescendant");
  await page.keyboard.press("End");
  expect(await active()).toBe(`line-${whole.length / 2 - 1}`);
  const deep = await level();
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  expect(await level()).toBeLessThan(deep);
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowLeft");
  expect(await count()).toBe(1);
  await page.keyboard.press("ArrowRight");
  expect(await count()).toBe(whole.length / 2 - 1); // what was folded below stays folded
  await page.keyboard.press("Enter");
  await page.locator(".detail h2").waitFor();
  await page.keyboard.press("Escape");
  expect(await page.locator(".detail").count()).toBe(0);
});

test("similar siblings fold into one row with their number", async () => {
  await open(`/trace/${flat.id}?fold=similar`);
  expect(await count()).toBeLessThan(1000);
  expect((await texts())[1]).toContain("×");
});

test("JSON in each form is one click away", async () => {
  await open(`/trace/${id}`);
  await page.locator(".title .menu summary").click();
  for (const href of await page.locator(".title .menu a").evaluateAll((as) => as.map((a) => (a as HTMLAnchorElement).href))) {
    const r = await fetch(href);
    expect([r.status, (await r.text()).includes(whole[0]!.id)], href).toEqual([200, true]);
  }
});

test("9, 43: comparing names what changed, in words, with durations", async () => {
  const other = [...byTrace.values()].filter((t) => t.length < 8 && t.some((s) => !s.parentId))[0]!;
  await open(`/trace/${id}...${other[0]!.traceId}?cohort=${id}`);
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

test("29: after short scrolls, down and up, the rows in the document are those on the screen, in order", async () => {
  await open(`/trace/${big.id}?fold=none`);
  for (const by of [60, 26, 400, -130, 2600, -26]) {
    await grid().evaluate((g, d) => g.scrollBy(0, d), by);
    await page.waitForTimeout(60);
    const at = await grid().evaluate((g) => g.scrollTop);
    const lines = await rows().evaluateAll((rs) => rs.map((r) => ({ line: Number(r.getAttribute("aria-rowindex")) - 1, top: r.getBoundingClientRect().top - r.closest(".grid")!.getBoundingClientRect().top })));
    expect(lines[0]!.line).toBe(Math.floor(at / 26));
    for (const [k, l] of lines.entries()) {
      expect(l.line).toBe(lines[0]!.line + k);
      expect(Math.abs(l.top - (l.line * 26 - at))).toBeLessThan(1);
    }
    const shown = await texts();
    await grid().evaluate((g) => g.dispatchEvent(new Event("focus"))); // draws everything anew
    expect(await texts()).toEqual(shown);
  }
});

test("30: rows that remain after collapsing at the end are in view, and fill it", async () => {
  await open(`/trace/${big.id}`);
  await grid().focus();
  await page.keyboard.press("End");
  await expect.poll(() => grid().getAttribute("aria-activedescendant")).toBe("line-9999");
  for (let left = 10_000; left > 1; ) {
    await page.keyboard.press("p");
    await expect.poll(count).toBeLessThan(left);
    left = await count();
    const first = await rows().first().getAttribute("aria-rowindex").then(Number), shown = await rows().count();
    expect(first + shown - 1).toBe(left); // the last one is there
    expect(shown).toBe(Math.min(left, Math.max(shown, Math.floor((await grid().evaluate((g) => g.clientHeight)) / 26)))); // and those before it
    expect(await grid().evaluate((g) => g.scrollTop)).toBeCloseTo(await grid().evaluate((g) => Math.max(0, g.scrollHeight - g.clientHeight)), -1);
  }
});

test("a click asks for the span's details once; keys that go on leave those behind unanswered", async () => {
  await open(`/trace/${big.id}`);
  const asked: string[] = [];
  page.on("request", (r) => /spans\?ids=/.test(r.url()) && asked.push(r.url().split("=")[1]!));
  await rows().nth(3).locator(".what").click();
  await page.locator(".detail .operation").waitFor();
  expect(asked).toHaveLength(1);
  await grid().focus();
  for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowDown");
  await expect.poll(() => page.locator(".detail tr", { hasText: "span id" }).first().textContent()).toContain(big.spans.find((s) => s.id === asked.at(-1)!.split(",")[0])!.id);
  expect(asked.length).toBeLessThanOrEqual(6);
  expect(new Set(asked).size).toBe(asked.length);
});

test("40: clocks are shown as they were; adjusting moves times only, is marked and in the address", async () => {
  const t0 = Date.now() * 1000 - 60e6, traceId = "40".padStart(32, "0");
  await server.zipkin([
    { traceId, id: "0000000000000001", name: "call", kind: "CLIENT", timestamp: t0, duration: 100_000, localEndpoint: { serviceName: "near", ipv4: "10.0.0.1" } },
    { traceId, id: "0000000000000002", parentId: "0000000000000001", name: "serve", kind: "SERVER", timestamp: t0 + 5e6, duration: 60_000, localEndpoint: { serviceName: "far", ipv4: "10.0.0.2" } },
  ]);
  await open(`/trace/${traceId}?fold=none&span=0000000000000002`);
  const facts = page.locator(".detail .span .facts");
  await facts.waitFor();
  expect(await facts.textContent()).toContain("from 5 s");
  const durations = () => page.locator(".row .took").allTextContents();
  const before = await durations();
  await page.getByRole("button", { name: "Clocks adjusted" }).click();
  await expect.poll(() => facts.textContent()).toMatch(/from 20 ms ?\(adjusted by/); // in the middle of its caller
  await expect.poll(() => params().get("skew")).toBe("adjusted");
  expect(await durations()).toEqual(before);
  await page.reload();
  await page.locator('button[aria-pressed="true"]', { hasText: "Clocks adjusted" }).waitFor();
});

describe("11: Jaeger's svcFilter", () => {
  const names = [...new Set(whole.map((s) => (s.localEndpoint as { serviceName: string }).serviceName))].sort();
  const hidden = "reviews.default";
  /** Jaeger UI's checksum, written from its description: FNV-1a's shape with 16 bits. */
  const checksum = (list: string[]) => [...Buffer.from(list.join("\0"), "utf16le").swap16()].reduce((h, _, i, b) => (i % 2 ? (((h ^ (b[i - 1]! * 256 + b[i]!)) * 257) % 65536) : h), 0x811c).toString(16);
  const filter = `${checksum(names)}.${names.reduce((bits, n, i) => bits + (n === hidden ? 0 : 2 ** i), 0).toString(16)}`;
  const shownServices = () => page.locator(".row:not([hidden]) .who").allTextContents();

  test("a link of Jaeger hides the same services, and all that they called", async () => {
    expect(names).toContain(hidden);
    await open(`/trace/${id}?fold=none&svcFilter=${filter}`);
    const below = (x: string): string[] => [x, ...whole.filter((s) => s.parentId === x).flatMap((s) => below(s.id))];
    const gone = new Set(whole.filter((s) => (s.localEndpoint as { serviceName: string }).serviceName === hidden).flatMap((s) => below(s.id)));
    expect(gone.size).toBeGreaterThan(1);
    expect(await count()).toBe(whole.length - gone.size + 1); // one row stands for them
    expect((await shownServices()).join()).not.toMatch(/^reviews/);
    const leftOut = page.locator(".row.left-out:not([hidden])");
    const failed = whole.filter((s) => gone.has(s.id) && tag(s, "error") === "true").length;
    expect(await leftOut.locator(".what").innerText()).toBe(`${gone.size} spans hidden${failed ? `, ${failed} errors` : ""}`);
    expect(await violations(page)).toEqual([]);
    expect(await page.locator(".filter-bar").textContent()).toContain(`${gone.size} spans hidden`);
    await page.waitForTimeout(500);
    expect(params().get("svcFilter")).toBe(filter);
  });
  test("what is hidden is not in the overview either; one click on its row shows it there, and the next error passes it over", async () => {
    await open(`/trace/${id}?fold=none`);
    const colours = () => page.locator(".minimap canvas").evaluate((c: HTMLCanvasElement) => {
      const g = new OffscreenCanvas(c.width, c.height).getContext("2d", { willReadFrequently: true })!;
      g.drawImage(c, 0, 0);
      const d = g.getImageData(0, 0, c.width, c.height).data, seen = new Set<string>();
      for (let i = 0; i < d.length; i += 4) if (d[i + 3] === 255) seen.add(`rgb(${d[i]}, ${d[i + 1]}, ${d[i + 2]})`);
      return [...seen];
    });
    const colour = await rows().filter({ hasText: /^reviews/ }).first().locator(".swatch").evaluate((e) => getComputedStyle(e).backgroundColor);
    await expect.poll(colours).toContain(colour);
    await page.goto(`${server.url}/trace/${id}?fold=none&svcFilter=${filter}`);
    await page.locator(".row.left-out").first().waitFor();
    await expect.poll(async () => (await colours()).length).toBeGreaterThan(2);
    expect(await colours()).not.toContain(colour);
    await page.locator(".row.left-out").first().click();
    await expect.poll(colours).toContain(colour);
    expect((await shownServices()).join()).toMatch(/,reviews/);
  });
  test("33: the next error passes over services that are hidden; the count says so, and a click finds them all the same", async () => {
    const t0 = Date.now() * 1000 - 60e6, traceId = "33".padStart(32, "0");
    const span = (n: number, parent: number, service: string, error: boolean) => ({ traceId, id: n.toString(16).padStart(16, "0"), ...(parent ? { parentId: parent.toString(16).padStart(16, "0") } : {}), name: `op ${n}`, timestamp: t0 + n, duration: 1000 - n, localEndpoint: { serviceName: service }, tags: error ? { error: "true" } : {} });
    await server.zipkin([span(1, 0, "front", false), span(2, 1, "noisy", true), span(3, 1, "shop", true), span(4, 2, "noisy", true)]);
    const some = ["front", "noisy", "shop"];
    await open(`/trace/${traceId}?svcFilter=${checksum(some)}.5`); // all but noisy
    const errors = page.locator(".error-jump");
    expect((await errors.innerText()).replace(/\s+/g, " ").trim()).toBe("1 error + 2 hidden");
    for (let i = 0; i < 2; i++) {
      await page.keyboard.press("e");
      await expect.poll(() => params().get("span")).toBe("0000000000000003");
    }
    await page.goto(`${server.url}/trace/${traceId}?svcFilter=${checksum(some)}.1`);
    await rows().first().waitFor();
    expect((await errors.innerText()).replace(/\s+/g, " ").trim()).toBe("3 errors hidden");
    await errors.getByRole("button").first().click();
    await page.locator(".row.selected.wrong").waitFor();
    expect(params().get("svcFilter")).toBe(`${checksum(some)}.1`);
  });
  test("one made for other services shows all and leaves the address", async () => {
    await open(`/trace/${id}?fold=none&uiFind=${whole[0]!.id}&svcFilter=ffff.1`);
    expect(await count()).toBe(whole.length);
    await expect.poll(() => params().has("svcFilter")).toBe(false);
    expect(params().get("uiFind")).toBe(whole[0]!.id);
    await page.reload();
    await rows().first().waitFor();
    expect(await count()).toBe(whole.length);
  });
  test("the menu writes what Jaeger reads, keeps the root, and works by keyboard", async () => {
    await open(`/trace/${id}?fold=none`);
    const menu = page.locator(".filter-bar .menu").first();
    await menu.locator("summary").focus();
    await page.keyboard.press("Enter");
    await menu.getByLabel(hidden).focus();
    await page.keyboard.press("Space");
    await expect.poll(() => params().get("svcFilter")).toBe(filter);
    const root = whole.find((s) => !s.parentId)!;
    expect(await menu.getByLabel((root.localEndpoint as { serviceName: string }).serviceName).isDisabled()).toBe(true);
    expect(await menu.locator("summary").textContent()).toBe(`Services ${names.length - 1} of ${names.length}`);
    expect(await violations(page)).toEqual([]);
    await menu.getByText("details.default").click(); // on the name, not the box
    expect(await menu.getByLabel("details.default").isChecked()).toBe(false);
    await page.keyboard.press("Escape");
    expect(await menu.locator("ul").count()).toBe(0);
    await expect.poll(() => params().get("svcFilter")).not.toBe(filter);
    await page.reload();
    await rows().first().waitFor();
    expect(await menu.locator("summary").textContent()).toBe(`Services ${names.length - 2} of ${names.length}`);
    await menu.locator("summary").click();
    await menu.getByRole("button", { name: "Show all" }).click();
    expect(await count()).toBe(whole.length);
    await expect.poll(() => params().has("svcFilter")).toBe(false);
  });
});

describe("tags as columns of the rows (complaint 10)", () => {
  const cells = (i: number) => page.locator(".row:not([hidden]):not(.left-out)").evaluateAll((rs, k) => rs.map((r) => r.querySelectorAll(".column")[k]?.textContent ?? null), i);

  test("are chosen with completion, stand in closed rows, and come back from the address", async () => {
    ({ page, problems } = await openPage(browser, server));
    const asked: string[] = [];
    page.on("request", (r) => /skeleton/.test(r.url()) && asked.push(new URL(r.url()).search));
    await page.goto(`${server.url}/trace/${id}?fold=none`);
    await rows().first().waitFor();
    expect(await page.locator(".row .column").count()).toBe(0);
    expect(asked.filter(Boolean)).toEqual([]); // nothing more is loaded until it is asked for
    await page.locator(".filter-bar .menu summary", { hasText: "Columns" }).click();
    await page.getByLabel("Key of a tag").fill("http.u");
    await expect.poll(() => page.locator(".menu .checks li").count()).toBe(1);
    await page.keyboard.press("Enter"); // the only one there is
    await expect.poll(() => cells(0).then((c) => c[0])).toMatch(/^http:/);
    await page.getByLabel("Key of a tag").fill("nowhere.to.be.found");
    await page.keyboard.press("Enter");
    await expect.poll(() => params().get("cols")).toBe("http.url,nowhere.to.be.found");
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    const check = async () => {
      // rows are in depth-first order, siblings by start
      const order = (parent?: string): typeof whole => whole.filter((s) => s.parentId === parent).sort((a, b) => a.timestamp! - b.timestamp!).flatMap((s) => [s, ...order(s.id)]);
      await expect.poll(() => cells(0)).toEqual(order(undefined).map((s) => tag(s, "http.url")));
      expect(new Set(await cells(1))).toEqual(new Set([""]));
      expect(await page.locator(".ruler-title.column").allTextContents()).toEqual(["http.url", "nowhere.to.be.found"]);
    };
    await check();
    asked.length = 0;
    await page.reload();
    await rows().first().waitFor();
    await check();
    expect(asked.filter((q) => q.includes("tags=")).length).toBe(1); // once, and at once
    expect(asked.filter((q) => !q).length).toBe(0);
    await page.locator(".filter-bar .menu summary", { hasText: "Columns 2" }).click();
    await page.locator(".menu .checks").getByLabel("http.url").click();
    await expect.poll(() => params().get("cols")).toBe("nowhere.to.be.found");
    await expect.poll(() => page.locator(".ruler-title.column").count()).toBe(1);
  });
  test("with a span as the root and hidden services: each keeps the others", async () => {
    const service = (s: (typeof whole)[number]) => (s.localEndpoint as { serviceName: string }).serviceName;
    const top = whole.find((s) => service(s) === "productpage.default" && s.kind === "SERVER")!;
    const below = (s: typeof top): typeof whole => service(s) === "details.default" ? [] : [s, ...whole.filter((c) => c.parentId === s.id).sort((a, b) => a.timestamp! - b.timestamp!).flatMap(below)];
    const left = below(top);
    expect(left.length).toBeGreaterThan(2);
    const want = async (...keys: string[]) => {
      await expect.poll(() => cells(keys.length - 1)).toEqual(left.map((s) => tag(s, keys.at(-1)!)));
      for (const [i, k] of keys.entries()) expect(await cells(i)).toEqual(left.map((s) => tag(s, k)));
    };
    await open(`/trace/${id}?fold=none&cols=http.url&span=${top.id}`);
    const menu = page.locator(".filter-bar .menu").first();
    await menu.locator("summary").click();
    await menu.getByLabel("details.default").click();
    await page.keyboard.press("Escape");
    await expect.poll(() => params().has("svcFilter")).toBe(true);
    const filter = params().get("svcFilter"); // of the whole trace's services
    await page.getByRole("button", { name: "Show as root" }).click();
    await want("http.url");
    await page.locator(".filter-bar .menu summary", { hasText: "Columns" }).click();
    await page.getByLabel("Key of a tag").fill("guid:x-request-id");
    await expect.poll(() => page.locator(".menu .checks li").count()).toBe(2);
    await page.keyboard.press("Enter");
    await want("http.url", "guid:x-request-id");
    await page.keyboard.press("Escape");
    await expect.poll(() => [params().get("root"), params().get("svcFilter"), params().get("cols")]).toEqual([top.id, filter, "http.url,guid:x-request-id"]);
    await page.reload();
    await rows().first().waitFor();
    await want("http.url", "guid:x-request-id");
    expect(await menu.locator("summary").textContent()).toMatch(/^Services (\d+) of /);
    expect([params().get("root"), params().get("svcFilter")]).toEqual([top.id, filter]);
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: artifacts("trace-columns-root-services.png") });
    await page.locator(".grid").focus();
    await page.keyboard.press("Shift+R");
    await expect.poll(() => params().has("root")).toBe(false);
    const gone = whole.filter((s) => service(s) === "details.default").length;
    expect(await count()).toBe(whole.length - gone + 1);
    expect([params().get("svcFilter"), await page.locator(".ruler-title.column").count()]).toEqual([filter, 2]);
  });
  test("late spans have them too, and those chosen meanwhile stay", async () => {
    const t = synthetic(40, 78);
    await server.zipkin(t.spans.slice(0, 35));
    await open(`/trace/${t.id}?cols=number`, { viewport: { width: 1440, height: 1500 } });
    const numbers = async () => (await cells(0)).map(Number).sort((a, b) => a - b);
    await expect.poll(numbers).toEqual(Array.from({ length: 35 }, (_, i) => i));
    await server.zipkin(t.spans.slice(35, 38));
    await page.getByRole("button", { name: /late spans/ }).click({ timeout: 8000 });
    await expect.poll(numbers).toEqual(Array.from({ length: 38 }, (_, i) => i));
    await server.zipkin(t.spans.slice(38));
    await page.getByRole("button", { name: /late spans/ }).waitFor({ timeout: 8000 });
    await page.locator(".filter-bar .menu summary", { hasText: "Columns" }).click();
    await page.locator(".menu .checks").getByLabel("http.method").click();
    await expect.poll(() => cells(1).then((c) => new Set(c))).toEqual(new Set(["GET"]));
    await expect.poll(numbers).toEqual(Array.from({ length: 40 }, (_, i) => i)); // came with the column
    expect(await page.getByRole("button", { name: /late spans/ }).count()).toBe(0);
  });
  test("eight of them on 10,000 spans keep the page small and the bars in place", async () => {
    await open(`/trace/${big.id}?fold=none&cols=number,http.method,http.url,cache,error,http.status_code,a,b`);
    expect(await elements()).toBeLessThanOrEqual(2500);
    await grid().evaluate((e) => e.scrollTo(0, 100_000));
    const at = async () => Number(await rows().first().getAttribute("aria-rowindex"));
    await expect.poll(at).toBeGreaterThan(3000);
    expect(await grid().getAttribute("aria-colcount")).toBe("10");
    const places = await page.locator(".row:not([hidden])").first().evaluate((r) => [...r.children].map((c) => c.getBoundingClientRect()).map((b) => [Math.round(b.left), Math.round(b.right)]));
    for (let i = 1; i < places.length; i++) expect(places[i]![0]).toBe(places[i - 1]![1]); // one beside the other
    expect(Math.round((await page.locator("canvas.bars").boundingBox())!.x)).toBe(places.at(-1)![0]);
    expect(Math.round((await page.locator(".ruler").boundingBox())!.x)).toBe(places.at(-1)![0]);
  });
});
