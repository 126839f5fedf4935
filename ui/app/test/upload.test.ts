// Criteria 25 and 26: files are opened in the browser and shown as the store
// would show them; what was downloaded comes back as it was.
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { SpanDetail } from "../src/api";
import { Files } from "../src/local/files";
import { decode, hex, type Skeleton, text } from "../src/trace/skeleton";
import { launch, openPage, recorded, type Server, startServer, synthetic, violations } from "./harness";

let server: Server, browser: Browser, page: Page, problems: string[];
const bookinfo = recorded("bookinfo"), shared = recorded("shared-context"), torn = recorded("broken-propagation");
const made = synthetic(2000, 4);
const evil = `<img src=x onerror="document.title='owned'">`;
const odd = [
  { traceId: "00000000000000000000000000000abc", id: "a1", name: `${evil} name`, kind: "SERVER", timestamp: Date.now() * 1000 - 50e6, duration: 5000, debug: true, localEndpoint: { serviceName: "Odd Service", ipv4: "10.1.2.3", ipv6: "2001:db8::1", port: 80 }, remoteEndpoint: { serviceName: "peer", ipv4: "10.9.9.9", port: 4242 }, tags: { error: "timeout", "http.url": "http://h/p?q#f", "http.status_code": "504", response_flags: "UT" }, annotations: [{ timestamp: Date.now() * 1000 - 49.999e6, value: "retrying" }, { timestamp: Date.now() * 1000 - 49.998e6, value: "gave up" }] },
  { traceId: "abc", id: "a2", parentId: "a1", name: "child", kind: "CLIENT", timestamp: Date.now() * 1000 - 49.9995e6, duration: 1000, localEndpoint: { serviceName: "Odd Service", ipv4: "10.1.2.3" }, tags: { error: "false" } },
  { traceId: "abc", id: "a3", parentId: "dead", name: "", timestamp: Date.now() * 1000 - 49.9e6, localEndpoint: { serviceName: "" }, tags: {} },
];
const whole = bookinfo.filter((s) => s.traceId === bookinfo[0]!.traceId);
const traces = [...new Set([...bookinfo, ...shared, ...torn].map((s) => s.traceId)), made.id, "0000000000000abc"];

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
  for (const s of [bookinfo, shared, torn, made.spans, odd]) await server.zipkin(s);
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

const forms = { jaeger: "/api/traces/ID?prettyPrint=true", "jaeger unadjusted": "/api/traces/ID?raw=true", zipkin: "/api/ui/v1/traces/ID/download?format=zipkin", otlp: "/api/ui/v1/traces/ID/download?format=otlp" };
const columns = ["http.url", "node_id", "number", "nowhere"];
const get = (path: string) => fetch(server.url + path).then((r) => r.text());

/** All that views show of rows, whatever the numbers of the dictionaries. */
function table(t: Skeleton, lost: number, ids: boolean) {
  const columns = Object.keys(t.dicts).filter((d) => d !== "service" && d !== "operation").sort();
  return {
    id: t.id, start: t.start, duration: t.duration, n: t.n, errors: t.errors, depth: t.depth, roots: t.roots, orphans: t.orphans, services: t.services, operations: t.operations, kinds: t.kinds, columns, warnings: t.warnings.map((w) => w.row),
    rows: Array.from({ length: t.n }, (_, r) => ({
      parent: t.parent[r], level: t.level[r], size: t.size[r], from: t.from[r], took: t.took[r], service: t.services[t.service[r]!], operation: t.operations[t.operation[r]!], kind: t.kinds[t.kind[r]!], flags: t.flags[r]! & ~lost,
      pair: t.pair?.[r] ?? -1, proxy: t.proxy?.[r] ?? 0, view: hex(t.views[r]!), ...(ids ? { id: hex(t.ids[r]!) } : {}), upstream: t.columns.upstream ? t.upstreams[t.columns.upstream[r]!] : {}, node: t.columns.node ? t.nodes[t.columns.node[r]!] : {},
      ...Object.fromEntries(columns.map((c) => [c, text(t, c, r)])),
    })),
  };
}

/** Details with what a form has no place for left out, and typed values as they are shown. */
function shown(s: SpanDetail, form: string) {
  const tags = (list?: { key: string; value: unknown }[]) => (list ?? []).map((t) => [t.key, String(t.value)]);
  const { id, shared, debug, status, warnings, startNs, parent, ...rest } = JSON.parse(JSON.stringify(s)) as SpanDetail;
  const same = { ...rest, tags: tags(s.tags), process: tags(s.process), events: (s.events ?? []).map((e) => [e.time, e.name, tags(e.fields)]), links: s.links ?? [] };
  if (form === "zipkin") return { ...same, id, shared, debug, warnings, startNs, parent };
  // Jaeger has one address an endpoint, v6 before v4, and its ids are those of views; both have error as a status
  const one = (e?: { ip?: string; ipv6?: string; port?: number; service?: string }) => (e ? { service: e.service, port: e.port, ip: e.ipv6 ?? e.ip } : undefined);
  return { ...same, local: one(s.local), remote: one(s.remote) };
}

describe("26: a trace that was downloaded is shown as the store shows it", () => {
  for (const [form, path] of Object.entries(forms))
    test(form, async () => {
      for (const id of traces) {
        const want = decode(await fetch(`${server.url}/api/ui/v1/traces/${id}/skeleton?tags=${columns}`).then((r) => r.arrayBuffer()));
        const files = new Files();
        const { traces: list, problems: wrong } = files.open([{ name: "trace.json", text: await get(path.replace("ID", id)) }]);
        expect(wrong).toEqual([]);
        expect(list.map((t) => [t.id, t.spans, t.errors])).toEqual([[want.id, want.n, want.errors]]);
        const got = files.skeleton(want.id, columns);
        const lost = form === "zipkin" ? 0 : 2 | 4; // no flag says "shared" or, in OTLP, "debug"
        const ids = form !== "jaeger"; // Jaeger's ids are unique
        expect(table(got, lost, ids), `${form} of ${id}`).toEqual(table(want, lost, ids));
        const events = JSON.parse(await get(`/api/ui/v1/traces/${id}/events`)) as { events: object[]; count: number };
        expect(JSON.parse(JSON.stringify(files.events(want.id)))).toEqual({ events: events.events, count: events.count });
        const rows = [...new Set([0, 1, 2, 3, 4, 5, 6, 7, want.n - 1])].filter((r) => r < want.n);
        const all = [...new Set(rows.map((r) => hex(want.ids[r]!)))];
        const stored = ((await (await fetch(`${server.url}/api/ui/v1/traces/${id}/spans?ids=${all}`)).json()) as { spans: SpanDetail[] }).spans;
        const mine = files.spans(want.id, [...all, ...rows.map((r) => hex(want.views[r]!))]);
        for (const s of stored) expect(shown(mine.find((m) => m.view === s.view)!, form), `${form} of ${id}, span ${s.view}`).toEqual(shown(s, form));
      }
    });
  test("40: clocks are adjusted as the server does it", async () => {
    const t0 = Date.now() * 1000 - 70e6, off: Record<string, number> = { "10.1.0.1": 0, "10.1.0.2": 3e6, "10.1.0.3": -2e6, "": 500 };
    const hosts = Object.keys(off);
    const skewed = Array.from({ length: 200 }, (_, i) => { // a tree whose hosts' clocks differ; some spans outlast their parents
      const ipv4 = hosts[(i * 7 + (i >> 3)) % 4]!;
      return { traceId: "40".padStart(32, "0"), id: (i + 1).toString(16).padStart(16, "0"), ...(i && { parentId: (((i - 1) >> 1) + 1).toString(16).padStart(16, "0") }), name: `op ${i}`, kind: i % 2 ? "SERVER" : "CLIENT", timestamp: t0 + off[ipv4]! + i * 31, duration: 100_000 - i * 300 + (i % 9 ? 0 : 70_001), localEndpoint: { serviceName: `s${i % 5}`, ...(ipv4 && { ipv4 }) } };
    });
    const other = await startServer("", ["--query.max-clock-skew-adjustment=1000h"]);
    try {
      for (const s of [bookinfo, shared, torn, odd, skewed]) await other.zipkin(s);
      let moved = 0;
      for (const id of [...traces.filter((t) => t !== made.id), skewed[0]!.traceId]) {
        const want = decode(await fetch(`${other.url}/api/ui/v1/traces/${id}/skeleton`).then((r) => r.arrayBuffer()));
        for (const form of ["jaeger unadjusted", "zipkin", "otlp"] as const) {
          const files = new Files();
          files.open([{ name: "trace.json", text: await fetch(other.url + forms[form].replace("ID", id)).then((r) => r.text()) }]);
          const got = files.skeleton(want.id);
          const by = (t: Skeleton) => Array.from({ length: t.n }, (_, r) => [hex(t.views[r]!), t.shift?.[r] ?? 0]);
          expect(by(got), `${form} of ${id}`).toEqual(by(want));
          moved += by(got).filter(([, us]) => us).length;
        }
      }
      expect(moved).toBeGreaterThan(300);
    } finally {
      await other.stop();
    }
  });
  test("the search of a file finds what the server's finds", async () => {
    for (const id of [bookinfo.find((s) => (s.tags as Record<string, string>).response_flags === "URX,UF")!.traceId, made.id, "0000000000000abc"]) {
      const files = new Files();
      files.open([{ name: "t", text: await get(forms.zipkin.replace("ID", id)) }]);
      for (const q of ["error", "productpage", "!error", "http.status_code>=500", "response_flags~^U", "response_flags!=URX,UF", "duration>2ms !duration<3ms", "service=made-3 number>1000", "number<=20.5", '"operation-7"', "span.kind=client", "event~retry", "peer.service", "component!~prox", "-cache=hit", "http.url=http://made-3:9080/item/3", "operation~(?i)OPERATION-1", "status_code=503", "duration=1ms", made.spans[5]!.id]) {
        const answer = (await (await fetch(`${server.url}/api/ui/v1/traces/${id}/find?q=${encodeURIComponent(q)}`)).json()) as { rows: number[] };
        expect(files.find(files.list()[0]!.id, q), `${q} in ${id}`).toEqual(answer.rows);
      }
      for (const q of ["a>x", "duration~3", "!a!=b", '"open', "=b", "duration>abc"]) {
        const message = ((await (await fetch(`${server.url}/api/ui/v1/traces/${id}/find?q=${encodeURIComponent(q)}`)).json()) as { error: { message: string } }).error.message;
        expect(() => files.find(files.list()[0]!.id, q), q).toThrow(message.replace(/^q: /, "").split(" at position")[0]!);
      }
    }
  });
});

describe("25: in the page", () => {
  afterEach(async () => {
    await page.context().close();
    expect(problems).toEqual([]);
  });
  let sent: string[] = [];
  async function open(path: string) {
    ({ page, problems } = await openPage(browser, server));
    sent = [];
    page.on("request", (r) => sent.push(`${r.method()} ${new URL(r.url()).pathname}`));
    await page.goto(server.url + path);
  }
  /** Requests besides those for parts of the page itself. */
  const asked = (r: string) => !/^GET (\/assets\/|\/icon\.svg$)/.test(r);
  const file = (name: string, content: string | Buffer) => ({ name, mimeType: "application/json", buffer: Buffer.from(content) });
  const choose = async (...files: ReturnType<typeof file>[]) => {
    await page.locator('input[type="file"]').setInputFiles(files);
  };
  const texts = () => page.locator(".grid .row:not([hidden])").evaluateAll((rs) => rs.map((r) => (r as HTMLElement).innerText.replace(/\s+/g, " ")));

  test("every form opens by the picker, shows what the store shows, and nothing is sent", async () => {
    const id = whole[0]!.traceId;
    await open(`/trace/${id}`);
    await page.locator(".grid .row").first().waitFor();
    const want = await texts();
    await page.goto(server.url + "/search");
    await page.getByRole("link", { name: "Open file" }).click();
    await page.getByRole("heading", { name: "Open files" }).waitFor();
    await page.waitForLoadState("networkidle");
    sent = [];
    const jaeger = await get(forms.jaeger.replace("ID", id)), zipkin = JSON.stringify(whole), otlp = await get(forms.otlp.replace("ID", id));
    const single = JSON.stringify((JSON.parse(jaeger) as { data: unknown[] }).data[0]);
    const some: [string, string | Buffer][] = [
      ["jaeger.json", jaeger], ["single.json", single], ["zipkin.json", zipkin], ["nested.json", `[${zipkin}]`], ["otlp.json", otlp], ["otlp.jsonl", `${JSON.stringify(JSON.parse(otlp))}\n\n`], ["spans.jsonl", whole.map((s) => JSON.stringify(s)).join("\n")], ["jaeger.jsonl", single + "\n"], ["zipped.json.gz", gzipSync(zipkin)],
    ];
    for (const [name, content] of some) {
      await choose(file(name, content));
      await page.waitForURL(`**/upload/${id}`);
      await page.locator(".grid .row").first().waitFor();
      expect(await texts(), name).toEqual(want);
      await page.getByRole("link", { name: "Back to the files" }).click();
      await page.getByText("1 trace open").waitFor();
    }
    expect(sent.filter(asked)).toEqual([]);
  });

  test("several traces are listed; views of one work without the server: find, details, statistics", async () => {
    await open("/upload");
    await choose(file("many.json", JSON.stringify([...bookinfo, ...odd])), file("big.json", JSON.stringify(made.spans)));
    const n = new Set(bookinfo.map((s) => s.traceId)).size + 2;
    await page.getByText(`${n} traces open`).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole("columnheader", { name: "Spans" }).getByRole("button").click();
    await page.locator(".traces .tbody a").first().click();
    await page.waitForURL(`**/upload/${made.id}`);
    await page.locator(".grid .row").first().waitFor();
    sent = [];
    await page.keyboard.press("Control+b");
    await page.keyboard.type("number>1990 ");
    await expect.poll(() => page.locator(".found").first().textContent()).toBe("9 matches");
    await page.keyboard.press("Enter");
    await page.locator(".detail table.tags").first().waitFor();
    expect(await page.locator(".detail").textContent()).toContain("1991");
    await page.keyboard.press("Escape");
    for (const [view, name] of [["logs", "Logs"], ["stats", "Statistics"], ["spans", "Spans"], ["flame", "Flame graph"], ["graph", "Graph"], ["timeline", "Timeline"]] as const) {
      await page.getByRole("tab", { name, exact: true }).click();
      if (view !== "timeline") await expect.poll(() => new URL(page.url()).searchParams.get("view")).toBe(view);
      if (view === "stats") {
        const by = page.getByLabel("Group by");
        await by.fill("cache");
        await by.press("Enter");
        await expect.poll(() => page.locator(".table").textContent()).toContain("hit");
      }
    }
    expect(sent.filter(asked)).toEqual([]);
    await page.getByRole("link", { name: "Back to the files" }).click();
    await page.getByText(`${n} traces open`).waitFor();
  });

  test("tags of a file's trace are columns, by what is in the file alone, also of a part of it and with hidden services", async () => {
    const t = whole, id = t[0]!.traceId;
    const tag = (s: (typeof t)[number], k: string) => (s.tags as Record<string, string>)[k] ?? "";
    const cells = () => page.locator(".row:not([hidden]):not(.left-out)").evaluateAll((rs) => rs.map((r) => r.querySelector(".column")?.textContent ?? null));
    const params = () => new URL(page.url()).searchParams;
    await open("/upload");
    await choose(file("one.json", JSON.stringify(t)));
    await page.waitForURL(`**/upload/${id}`);
    await page.locator(".grid .row").first().waitFor();
    await page.getByRole("button", { name: "Fold hops" }).click();
    sent = [];
    await page.locator(".filter-bar .menu summary", { hasText: "Columns" }).click();
    await page.getByLabel("Key of a tag").fill("HTTP.URL");
    await expect.poll(() => page.locator(".menu .checks li").allTextContents()).toEqual([`http.url${t.filter((s) => tag(s, "http.url")).length}`]);
    await page.keyboard.press("Enter");
    const order = (parent?: string): typeof t => t.filter((s) => s.parentId === parent).sort((a, b) => a.timestamp! - b.timestamp!).flatMap((s) => [s, ...order(s.id)]);
    await expect.poll(cells).toEqual(order().map((s) => tag(s, "http.url")));
    await page.keyboard.press("Escape");
    const second = order()[1]!;
    await page.locator(".grid .row:not([hidden])").nth(1).click();
    await page.getByRole("button", { name: "Show as root" }).click();
    await expect.poll(cells).toEqual([second, ...order(second.id)].map((s) => tag(s, "http.url")));
    const menu = page.locator(".filter-bar .menu").first();
    await menu.locator("summary").click();
    await menu.getByLabel("reviews.default").click();
    await page.keyboard.press("Escape");
    await expect.poll(() => [params().get("cols"), params().get("root"), params().has("svcFilter")]).toEqual(["http.url", second.id, true]);
    expect(await page.locator(".trace-head .chip").allTextContents()).toContain("from a file");
    expect(await page.locator(".row:not([hidden]) .who").allTextContents().then((w) => w.join())).not.toMatch(/^reviews|,reviews/);
    expect(sent.filter(asked)).toEqual([]);
  });

  test("a file can be dropped anywhere; one that is malformed names the line", async () => {
    await open("/search");
    const drop = async (name: string, content: string) => {
      const data = await page.evaluateHandle(([n, c]) => {
        const d = new DataTransfer();
        d.items.add(new File([c!], n!));
        return d;
      }, [name, content]);
      for (const type of ["dragover", "drop"]) await page.dispatchEvent("main", type, { dataTransfer: data });
    };
    await drop("ok.json", JSON.stringify(whole));
    await page.waitForURL(`**/upload/${whole[0]!.traceId}`);
    await page.locator(".grid .row").first().waitFor();
    const trouble = page.locator(".files .trouble");
    for (const [name, content, want] of [
      ["broken.json", '[\n {"traceId": "1",\n  "id": "2",}\n]', "Line 3, column 13: this is not JSON: a key in quotes is expected, not “}”."],
      ["missing.json", '[\n {"traceId": "1", "id": "2"},\n {"traceId": "1",\n  "name": "x"}\n]', "Line 3, column 2: id is missing."],
      ["bad.json", '{"data":[{"traceID":"1","processes":{},\n"spans":[{"spanID":"zz"}]}]}', "Line 2, column 20: spanID \"zz\" is not an id of 1 to 16 hexadecimal digits."],
      ["bad.jsonl", `${JSON.stringify(whole[0])}\n\n{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"1","spanId":"1","startTimeUnixNano":"x"}]}]}]}\n`, 'Line 3, column 92: startTimeUnixNano "x" is no number of nanoseconds.'],
      ["other.json", '{"hello": 1}', "Line 1, column 1: this is no trace in Jaeger's, Zipkin's or OTLP's JSON."],
      ["empty.json", "[]", "It has no spans."],
    ] as const) {
      await drop(name, content);
      await expect.poll(() => trouble.allTextContents()).toEqual([`${name} ${want}`]);
    }
    expect(await violations(page)).toEqual([]);
    await page.reload();
    await page.goto(`${server.url}/upload/${whole[0]!.traceId}`);
    await page.getByRole("heading", { name: "This trace is not open" }).waitFor();
  });

  test("what is too large for a page is refused, packed or not", async () => {
    const dir = mkdtempSync(join(tmpdir(), "upload-")), big = join(dir, "big.json"), bomb = join(dir, "bomb.json.gz"), cut = join(dir, "cut.json.gz");
    writeFileSync(big, "[");
    truncateSync(big, 300 << 20);
    writeFileSync(bomb, gzipSync(Buffer.alloc(300 << 20, " ")));
    writeFileSync(cut, gzipSync(JSON.stringify(whole)).subarray(0, 200));
    await open("/upload");
    await page.locator('input[type="file"]').setInputFiles([big, bomb, cut]);
    await expect.poll(() => page.locator(".files .trouble").allTextContents(), { timeout: 30_000 }).toEqual(["big.json It is larger than 256 MB, which is too much for a page.", "bomb.json.gz It is larger than 256 MB, which is too much for a page.", "cut.json.gz It is not whole: its gzip cannot be unpacked."]);
    rmSync(dir, { recursive: true });
    await choose(file("still works.json", JSON.stringify(whole)));
    await page.waitForURL(`**/upload/${whole[0]!.traceId}`);
  });

  test("35: an expression that would never end is given up, and what is open stays open", async () => {
    const endless = { traceId: "35", id: "1", name: "one", timestamp: Date.now() * 1000, duration: 5000, localEndpoint: { serviceName: "s" }, tags: { k: `${"a".repeat(60)}!` } };
    await open("/upload");
    await choose(file("many.json", JSON.stringify(odd)));
    await page.locator(".grid .row").first().waitFor();
    await page.getByRole("link", { name: "Back to the files" }).click();
    await choose(file("endless.json", JSON.stringify([endless])));
    await page.locator(".grid .row").first().waitFor();
    const find = page.getByRole("combobox", { name: "Find in this trace" });
    await find.fill("k~^(a+)+$");
    await find.press("Enter");
    await page.locator(".row").first().click(); // waits for its turn, and has it
    await page.locator(".detail table.tags").first().waitFor({ timeout: 20_000 });
    await page.locator("#find-wrong").waitFor();
    expect(await page.locator("#find-wrong").textContent()).toBe("this takes longer than 5 seconds to find: a simpler expression may not");
    await find.fill("k~^a+!$");
    await expect.poll(() => page.locator(".found").first().textContent()).toMatch(/1 match$|1 of 1 match$/);
    await page.getByRole("link", { name: "Back to the files" }).click();
    await page.getByText("2 traces open").waitFor();
  });

  test("a large file is read while the page goes on", async () => {
    const big = synthetic(60_000, 5); // 30 MB
    await open("/upload");
    const dir = mkdtempSync(join(tmpdir(), "upload-")), path = join(dir, "big.json");
    writeFileSync(path, JSON.stringify(big.spans)); // a path: the harness would hand a buffer over on the page's thread
    await page.evaluate(() => {
      const w = window as unknown as { longest: number };
      w.longest = 0;
      let last = performance.now();
      const tick = () => {
        w.longest = Math.max(w.longest, performance.now() - last);
        last = performance.now();
        setTimeout(tick, 10);
      };
      tick();
    });
    await page.locator('input[type="file"]').setInputFiles(path);
    await page.waitForURL(`**/upload/${big.id}`);
    await page.locator(".grid .row").first().waitFor();
    expect(Number(await page.locator(".grid").getAttribute("aria-rowcount"))).toBe(60_000);
    expect(await page.evaluate(() => document.getElementsByTagName("*").length)).toBeLessThanOrEqual(2500);
    console.log(`60,000 spans, ${(statSync(path).size / 1e6).toFixed(0)} MB: the page stood still for ${Math.round(await page.evaluate(() => (window as unknown as { longest: number }).longest))} ms at most`);
    rmSync(dir, { recursive: true });
  });
});
