// A trace's other views, its parts, its late spans and its clocks.
import { expect, test } from "vitest";
import { recorded, synthetic } from "./harness";
import { big, count, elements, fresh, id, openTrace, page, params, rows, server, spans, stage, texts, whole } from "./stage";

stage(async (s) => {
  for (const x of [spans, recorded("shared-context"), big.spans]) await s.zipkin(x);
}, ["--query.max-clock-skew-adjustment=10s"]);

test("39: late spans are offered and merged without losing the place", async () => {
  const t = synthetic(50, 77);
  await server.zipkin(t.spans.slice(0, 45));
  await openTrace(`/trace/${t.id}?span=${t.spans[9]!.id}`);
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
  await openTrace(`/trace/${id}?view=flame`);
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
  await openTrace(`/trace/${id}?view=logs`);
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
  await openTrace(`/trace/${t.id}?view=logs`);
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
  await openTrace(`/trace/${big.id}?fold=none&span=${big.spans[3]!.id}`);
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
  await openTrace(`/trace/${t.id}?fold=none&root=${t.spans[2]!.id}`);
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
  await fresh();
  await page.clock.install();
  const asked: string[] = [];
  page.on("request", (r) => r.url().includes("/standing?") && asked.push(r.url()));
  const like = (s: (typeof spans)[number]) => [...spans, ...recorded("shared-context")].filter((o) => o.name === s.name && o.kind === s.kind && JSON.stringify(o.localEndpoint).includes(`"${(s.localEndpoint as { serviceName: string }).serviceName}"`));
  const server_ = whole.find((s) => s.kind === "SERVER" && like(s).length > 20)!;
  const others = like(server_).length - 1, faster = like(server_).filter((o) => (o.duration as number) < (server_.duration as number)).length;
  await page.goto(`${server.url}/trace/${id}?fold=none`);
  await rows().first().click();
  await expect.poll(() => asked.length).toBe(1);
  await page.clock.pauseAt(Date.now() + 10e3); // from here on time passes for the page when the test says so
  asked.length = 0;
  for (const i of [2, 3, 4, 5]) {
    await page.keyboard.press("ArrowDown");
    await page.clock.runFor(200);
    await page.locator(`.grid .row[aria-rowindex="${i}"][aria-selected=true]`).waitFor();
    await page.locator(".standing").waitFor();
  }
  expect(asked).toEqual([]); // stepping on asks nothing
  await page.goto(`${page.url().split("?")[0]}?fold=none&span=${server_.id}`);
  await page.clock.resume(); // now that what waited on the page before is gone
  await expect.poll(() => page.locator(".standing").textContent()).toContain("within half an hour");
  const text = (await page.locator(".standing").textContent())!;
  expect(text).toContain(`of ${others} like it`.replace(/^of (\d+)/, faster === others ? "all $1" : "of $1"));
  const share = /slower than ([\d.]+) %/.exec(text);
  if (share) expect(Math.abs(Number(share[1]) - (100 * faster) / others)).toBeLessThanOrEqual(0.5);
  await expect.poll(() => asked.length).toBe(1);
});

test("JSON in each form is one click away", async () => {
  await openTrace(`/trace/${id}`);
  await page.locator(".title .menu summary").click();
  for (const href of await page.locator(".title .menu a").evaluateAll((as) => as.map((a) => (a as HTMLAnchorElement).href))) {
    const r = await fetch(href);
    expect([r.status, (await r.text()).includes(whole[0]!.id)], href).toEqual([200, true]);
  }
});

test("40: clocks are shown as they were; adjusting moves times only, is marked and in the address", async () => {
  const t0 = Date.now() * 1000 - 60e6, traceId = "40".padStart(32, "0");
  await server.zipkin([
    { traceId, id: "0000000000000001", name: "call", kind: "CLIENT", timestamp: t0, duration: 100_000, localEndpoint: { serviceName: "near", ipv4: "10.0.0.1" } },
    { traceId, id: "0000000000000002", parentId: "0000000000000001", name: "serve", kind: "SERVER", timestamp: t0 + 5e6, duration: 60_000, localEndpoint: { serviceName: "far", ipv4: "10.0.0.2" } },
  ]);
  await openTrace(`/trace/${traceId}?fold=none&span=0000000000000002`);
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

test("38: spans in a circle, without parent, start or duration, or with none of them are shown in every view", async () => {
  const t0 = Date.now() * 1000 - 60e6, traceId = "38".padStart(32, "0"), hex = (n: number) => n.toString(16).padStart(16, "0");
  const span = (n: number, parent: number, part: object) => ({ traceId, id: hex(n), ...(parent ? { parentId: hex(parent) } : {}), name: `odd ${n}`, localEndpoint: { serviceName: "odd" }, ...part });
  const odd = [span(1, 0, { timestamp: t0, duration: 1000 }), span(2, 3, { timestamp: t0 + 10, duration: 10 }), span(3, 2, { timestamp: t0 + 20, duration: 10 }), span(4, 99, { timestamp: t0 + 30, duration: 5 }), span(5, 1, { timestamp: t0 + 40, duration: 0 }), span(6, 1, { timestamp: t0 + 50 }), span(7, 1, { duration: 10 }), span(8, 1, {}), span(9, 9, { timestamp: t0 + 60, duration: 1 })];
  await server.zipkin(odd);
  await openTrace(`/trace/${traceId}?fold=none`);
  await expect.poll(count).toBe(odd.length);
  const all = (await texts()).join("\n");
  for (const s of odd) expect(all).toContain(s.name);
  for (const view of ["flame", "graph", "stats", "spans", "logs"]) {
    await page.goto(`${server.url}/trace/${traceId}?view=${view}&span=${hex(8)}`);
    await page.locator(".detail h2").waitFor();
    await page.locator(".table, canvas, .graph-view").first().waitFor();
    expect(await page.getByText("This view has failed").count(), view).toBe(0);
  }
});
