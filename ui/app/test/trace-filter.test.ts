// What of a trace is shown: only errors, services, columns.
import { describe, expect, test } from "vitest";
import { artifacts, synthetic, violations } from "./harness";
import { big, count, elements, fresh, grid, id, openTrace, page, params, rows, server, spans, stage, tag, whole } from "./stage";

stage(async (s) => {
  for (const x of [spans, big.spans]) await s.zipkin(x);
});

test("34: only errors keeps what leads to them, says how many rows, and shows what is left out where one asks for it", async () => {
  await openTrace(`/trace/${big.id}`);
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

describe("11: Jaeger's svcFilter", () => {
  const names = [...new Set(whole.map((s) => (s.localEndpoint as { serviceName: string }).serviceName))].sort();
  const hidden = "reviews.default";
  /** Jaeger UI's checksum, written from its description: FNV-1a's shape with 16 bits. */
  const checksum = (list: string[]) => [...Buffer.from(list.join("\0"), "utf16le").swap16()].reduce((h, _, i, b) => (i % 2 ? (((h ^ (b[i - 1]! * 256 + b[i]!)) * 257) % 65536) : h), 0x811c).toString(16);
  const filter = `${checksum(names)}.${names.reduce((bits, n, i) => bits + (n === hidden ? 0 : 2 ** i), 0).toString(16)}`;
  const shownServices = () => page.locator(".row:not([hidden]) .who").allTextContents();

  test("a link of Jaeger hides the same services, and all that they called", async () => {
    expect(names).toContain(hidden);
    await openTrace(`/trace/${id}?fold=none&svcFilter=${filter}`);
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
    await openTrace(`/trace/${id}?fold=none`);
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
    await openTrace(`/trace/${traceId}?svcFilter=${checksum(some)}.5`); // all but noisy
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
    await openTrace(`/trace/${id}?fold=none&uiFind=${whole[0]!.id}&svcFilter=ffff.1`);
    expect(await count()).toBe(whole.length);
    await expect.poll(() => params().has("svcFilter")).toBe(false);
    expect(params().get("uiFind")).toBe(whole[0]!.id);
    await page.reload();
    await rows().first().waitFor();
    expect(await count()).toBe(whole.length);
  });
  test("the menu writes what Jaeger reads, keeps the root, and works by keyboard", async () => {
    await openTrace(`/trace/${id}?fold=none`);
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
    await fresh();
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
    await openTrace(`/trace/${id}?fold=none&cols=http.url&span=${top.id}`);
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
    await openTrace(`/trace/${t.id}?cols=number`, { viewport: { width: 1440, height: 1500 } });
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
    await openTrace(`/trace/${big.id}?fold=none&cols=number,http.method,http.url,cache,error,http.status_code,a,b`);
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
