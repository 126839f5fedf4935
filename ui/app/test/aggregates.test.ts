// The pages that add up: services, map, mesh and status say what a sum over the
// same spans says, worked out here.
import { expect, test } from "vitest";
import { launch, openPage, recorded, startServer, violations } from "./harness";
import { fresh, made, page, server, spans, stage, tag } from "./stage";

const all = [...spans, ...recorded("broken-propagation")];
stage((s) => s.zipkin(all));

const service = (s: (typeof all)[number]) => (s.localEndpoint as { serviceName: string }).serviceName;
const wrong = (s: (typeof all)[number]) => tag(s, "error") === "true";
/** "12.3 ms" in µs. */
const us = (text: string) => { const [, n, unit] = /([\d.]+) (µs|ms|s)$/.exec(text.trim())!; return Number(n) * { "µs": 1, ms: 1e3, s: 1e6 }[unit as "s"]; };
/** Whether a figure is a quantile of these, within a rank and the width of a bucket (5 %). */
function isQuantile(text: string, list: typeof all, q: number, what: string) {
  const took = list.map((s) => s.duration as number).sort((a, b) => a - b), i = Math.ceil(q * took.length) - 1;
  expect(us(text), what).toBeGreaterThanOrEqual(took[Math.max(0, i - 1)]! * 0.95);
  expect(us(text), what).toBeLessThanOrEqual(took[Math.min(took.length - 1, i + 1)]! * 1.05);
}
/** A table's rows by its heads. */
const table = (label: string) =>
  page.getByRole("table", { name: label, exact: true }).evaluate((t) => {
    const heads = [...t.querySelectorAll('[role="columnheader"]')].map((h) => h.textContent!);
    return [...t.querySelectorAll('.tbody [role="row"]')].map((r) => Object.fromEntries([...r.children].map((c, i) => [heads[i]!, c.textContent!.trim()])));
  });
async function open(path: string, shows: string) {
  await fresh();
  await page.goto(server.url + path);
  await page.locator(shows).first().waitFor();
}
const percent = (part: number, of: number) => { const p = (100 * part) / of; return p === 0 ? "0 %" : p < 0.1 ? "<0.1 %" : p >= 10 ? `${Math.round(p)} %` : `${p.toFixed(1)} %`; };

test("services: requests, rate, errors and durations of each, from what its servers sent", async () => {
  await open("/monitor", ".tbody [role=row]");
  const got = new Map((await table("Services")).map((r) => [r.Service!.replace(/^(details|productpage|ratings|reviews)$/, "$1.default"), r]));
  const names = [...new Set(all.filter((s) => s.kind === "SERVER").map(service))];
  expect(names.length).toBeGreaterThan(3);
  for (const n of names) {
    const mine = all.filter((s) => service(s) === n && s.kind === "SERVER"), row = got.get(n)!;
    expect([row.Requests, row.Errors, row.Rate], n).toEqual([String(mine.length), percent(mine.filter(wrong).length, mine.length), expect.stringMatching(/\/(s|min|h)$/)]);
    expect(Math.abs(parseFloat(row.Rate!) - mine.length / (row.Rate!.endsWith("/min") ? 60 : 1)), n).toBeLessThan(0.1);
    for (const [head, q] of [["p50", 0.5], ["p95", 0.95], ["p99", 0.99]] as const) isQuantile(row[head]!, mine, q, `${n} ${head}`);
  }
});

test("a service: its operations, each with requests, errors and durations; a click leads to their traces", async () => {
  await open("/monitor?service=reviews.default", ".tbody [role=row]");
  const mine = all.filter((s) => service(s) === "reviews.default");
  const figures = (await page.locator(".figures").first().innerText()).replace(/\s+/g, " ");
  expect(figures).toContain(`${mine.filter((s) => s.kind === "SERVER").length} requests`);
  const got = await table("Operations");
  for (const kind of ["SERVER", "CLIENT"]) {
    const these = mine.filter((s) => s.kind === kind), row = got.find((r) => r.Kind === kind.toLowerCase())!;
    expect(new Set(these.map((s) => s.name)).size).toBe(1);
    expect([row.Requests, row.Errors]).toEqual([String(these.length), percent(these.filter(wrong).length, these.length)]);
    isQuantile(row.p95!, these, 0.95, kind);
    expect(us(row.Max!) / Math.max(...these.map((s) => s.duration as number))).toBeCloseTo(1, 1);
  }
  await page.getByRole("table", { name: "Operations" }).locator(".tbody a").first().click();
  await page.locator(".traces .tbody [role=row]").first().waitFor();
  expect(new URL(page.url()).searchParams.get("service")).toBe("reviews.default");
});

test("49: calls of the map have rate, errors and p95 of the range that is chosen", async () => {
  await open("/dependencies?view=table", ".tbody [role=row]");
  const byID = new Map(all.map((s) => [s.traceId + s.id, s]));
  const calls = new Map<string, { n: number; wrong: number; clients: typeof all }>();
  for (const s of all) {
    const up = byID.get(s.traceId + s.parentId);
    if (s.kind !== "SERVER" || !up || up.kind !== "CLIENT") continue;
    const key = `${service(up)} → ${service(s)}`, c = calls.get(key) ?? { n: 0, wrong: 0, clients: [] };
    c.n++;
    c.wrong += wrong(s) || wrong(up) ? 1 : 0;
    c.clients.push(up);
    calls.set(key, c);
  }
  const full = (n: string) => (n.includes(".") ? n : `${n}.default`);
  const got = new Map((await table("Calls between services")).map((r) => [`${full(r.From!)} → ${full(r.To!)}`, r]));
  expect(calls.size).toBeGreaterThan(3);
  for (const [key, c] of calls) {
    const row = got.get(key)!;
    expect([row.Calls, row.Errors], key).toEqual([String(c.n), percent(c.wrong, c.n)]);
    expect(Math.abs(parseFloat(row.Rate!) - c.n / (row.Rate!.endsWith("/min") ? 60 : 1)), key).toBeLessThan(0.1);
    isQuantile(row.p95!, c.clients, 0.95, key);
  }
  await page.getByLabel("Time range").selectOption("5m");
  await expect.poll(async () => (await table("Calls between services"))[0]!.Rate).toMatch(/\/(s|min)$/);
  const [first] = await table("Calls between services");
  expect(Math.abs(parseFloat(first!.Rate!) * (first!.Rate!.endsWith("/s") ? 60 : 1) - Number(first!.Calls) / 5)).toBeLessThan(0.1); // the same calls in a twelfth of the time
  await page.getByLabel("Namespace").selectOption("istio-system");
  await expect.poll(async () => (await table("Calls between services")).every((r) => r.From!.includes("istio-system") || r.To!.includes("istio-system"))).toBe(true);
  await page.goto(`${server.url}/dependencies`);
  for (const [label, shape] of [["rps", /\d\/(s|min|h)$/], ["err", /%$/], ["p95", /(µs|ms| s)$/]] as const) {
    await page.getByLabel("Labels of calls").selectOption(label);
    await expect.poll(() => page.locator(".edge-label").allTextContents().then((t) => t.length > 3 && t.every((x) => shape.test(x)))).toBe(true);
  }
});

test("47: from the service that drops headers to its torn traces; retries and time-outs of each destination", async () => {
  await open("/mesh", ".trouble strong");
  const cells = await page.locator("table", { has: page.getByText("Timeouts") }).locator("tbody tr").evaluateAll((rs) => rs.map((r) => [...r.children].map((c) => c.textContent!.trim())));
  const to = (host: string) => all.filter((s) => s.kind === "CLIENT" && tag(s, "upstream_cluster").includes(`|${host}.default.`));
  for (const host of ["reviews", "ratings", "ghost"]) {
    const mine = to(host), row = cells.find((c) => c[0] === host)!;
    const timeouts = mine.filter((s) => /UT/.test(tag(s, "response_flags"))).length, tried = mine.filter((s) => Number(tag(s, "retry.count")) > 0 || /URX/.test(tag(s, "response_flags")));
    expect([row[1], row[6]], host).toEqual([String(mine.length), String(timeouts)]);
    expect(Number(row[5]) > 0, `${host}: retries`).toBe(tried.length > 0);
  }
  await page.getByRole("link", { name: "Show such traces" }).click();
  await page.locator(".traces .tbody [role=row]").first().waitFor();
  const torn = new Set(recorded("broken-propagation").map((s) => s.traceId));
  for (const x of await page.locator(".traces .tbody [role=row]").evaluateAll((rs) => rs.map((r) => (r as HTMLElement).dataset.id!))) expect(torn).toContain(x);
});

test("status: who sends, what was rejected and why, posts to the wrong place, listeners, size and retention", async () => {
  const [own, browser] = await Promise.all([startServer("", ["--memory.max-traces=5000"]), launch()]);
  try {
    const { page, problems } = await openPage(browser, own);
    await own.zipkin(spans.slice(0, 100));
    const answers = await Promise.all([
      fetch(own.collector, { method: "POST", headers: { "Content-Type": "application/json" }, body: "[{]" }),
      fetch(own.collector, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify([{ ...made(1, "bad", {}), traceId: "not hex" }]) }),
      fetch(own.collector.replace("/api/v2/spans", "/api/v9/spans"), { method: "POST", headers: { "Content-Type": "application/json" }, body: "[]" }),
    ]);
    for (const a of answers) expect(a.ok, String(a.status)).toBe(false);
    await page.goto(own.url + "/status");
    const card = (name: string) => page.locator(".card", { has: page.getByRole("heading", { name }) });
    await card("Spans").waitFor();
    const text = async (name: string) => (await card(name).first().innerText()).replace(/\s+/g, " ");
    expect(await text("Spans")).toMatch(/100 stored since the start .* rejected .*Refused requests/);
    expect(await text("Who sends")).toContain("productpage.default zipkin_json_v2");
    expect(await text("Posts to the wrong place")).toContain("/api/v9/spans");
    expect(await text("Store")).toMatch(/100 spans .* traces, of 5,000/);
    expect(await text("Listeners")).toMatch(new RegExp(`zipkin collector ${new URL(own.collector).host} open`));
    expect(await text("Listeners")).toMatch(/OTLP collector, gRPC off/);
    await own.zipkin(spans.slice(100, 160));
    await expect.poll(() => text("Spans")).toContain("160 stored since the start"); // without a reload
    expect(await violations(page)).toEqual([]);
    expect(problems).toEqual([]);
  } finally {
    await browser.close();
    await own.stop();
  }
  await fresh();
});
