// Acceptance criteria of the timeline of a trace, and the click paths of an operator.
import { describe, expect, test } from "vitest";
import { recorded, synthetic, violations } from "./harness";
import { big, count, dead, elements, fresh, grid, id, made, openTrace, page, params, problems, rows, server, spans, stage, tag, texts, whole } from "./stage";

const chain = synthetic(2000, 2, "chain"), flat = synthetic(50_000, 3, "flat"), huge = synthetic(100_000, 4);

stage(async (s) => {
  for (const x of [spans, recorded("shared-context"), big.spans, chain.spans, flat.spans, huge.spans]) await s.zipkin(x);
});

test("7: ids in any form lead to the canonical one, the rest of the address stays", async () => {
  await openTrace(`/trace/${id.toUpperCase()}?view=spans`);
  await expect.poll(() => page.url()).toBe(`${server.url}/trace/${id}?view=spans`);
  await page.context().close();
  await openTrace(`/trace/${BigInt("0x" + big.id).toString(16)}`);
  await expect.poll(() => page.url()).toContain(`/trace/${big.id}`);
});

test("28: what a page shows first is asked for once, however early", async () => {
  for (const [path, asked] of [[`/trace/${id}`, /\/skeleton/], [`/trace/${id}?cols=http.url`, /\/skeleton/], [`/trace/${id}?svcFilter=stale`, /\/skeleton/], ["/search?service=reviews.default", /\/search\?end=/]] as const) {
    await fresh();
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
  await openTrace(`/trace/${big.id}?uiFind=${s.id}`);
  await page.locator(".row.selected").waitFor();
  await page.locator(".detail table.tags").first().waitFor();
  expect(await page.locator(".detail").textContent()).toContain(s.id);
  expect(params().get("uiFind")).toBe(s.id);
});

test("8: a span that is in view anyway does not move the rows; one far down comes into the middle", async () => {
  await openTrace(`/trace/${big.id}?fold=none&span=${big.spans[1]!.id}`);
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
  await openTrace(`/trace/${s.traceId}?uiFind=${s.id}`);
  await page.locator(".halves button").nth(1).waitFor();
  expect(await page.locator(".halves button").first().textContent()).toContain("server");
});

describe("44 and the click paths of the table", () => {
  test("sidecar pairs are folded into hops for the whole trace; one key shows both halves", async () => {
    await openTrace(`/trace/${id}`);
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
    await openTrace(`/trace/${dead.traceId}`);
    const row = rows().filter({ hasText: "URX" });
    expect(await row.innerText()).toMatch(/productpage\s*→ ghost :9080/);
    expect(await row.locator(".chip.flag").allTextContents()).toEqual(["URX", "UF"]);
    expect(await row.locator(".chip.flag").nth(1).getAttribute("title")).toContain("connection to the upstream failed");
    expect((await texts()).join()).toMatch(/→ reviews v2.*reviews-v2-67894999b5-abcd3/);
  });
  test("names are cut where they say nothing", async () => {
    await openTrace(`/trace/${id}`);
    expect((await texts()).join()).not.toMatch(/svc\.cluster\.local|9080\/\*/);
  });
  test("the first error of 10,000 spans is one key away, and each comes once", async () => {
    await openTrace(`/trace/${big.id}`);
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
    await openTrace(`/trace/${id}?view=stats&group=revision`);
    await expect.poll(() => page.locator(".table").textContent()).toContain("reviews v2");
    expect(await page.getByRole("columnheader", { name: "p95" }).count()).toBe(1);
  });
  test("42: groups are divided by a second tag", async () => {
    await openTrace(`/trace/${id}?view=stats`);
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
    await openTrace(`/trace/${dead.traceId}`);
    await page.keyboard.press("Control+b");
    await page.keyboard.type("productpage error");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.locator(".found").first().textContent()).toMatch(/^(1 of )?1 match$/); // Enter may come after the answer: then it goes to the match
    await page.getByRole("button", { name: "Only matches" }).click();
    await expect.poll(() => params().get("mode")).toBe("filter");
    const link = page.url(), shown = await texts();
    await page.context().close();
    await fresh();
    await page.goto(link);
    await rows().first().waitFor();
    await expect.poll(texts).toEqual(shown);
  });
});

describe("28, 29, 38: size and shape", () => {
  for (const [name, t] of [["10,000 spans", big], ["a chain of 2,000", chain], ["50,000 children of one", flat], ["100,000 spans", huge]] as const)
    test(`${name}: at most 2,500 elements, and the last row is reached`, async () => {
      await openTrace(`/trace/${t.id}?fold=none`);
      expect(await count()).toBe(t.spans.length);
      await grid().evaluate((e) => e.scrollTo(0, e.scrollHeight / 2));
      await grid().evaluate((e) => e.scrollTo(0, e.scrollHeight));
      await expect.poll(async () => Number(await rows().last().getAttribute("aria-rowindex"))).toBe(t.spans.length);
      expect(await elements()).toBeLessThanOrEqual(2500);
    });
});

test("30: collapse and expand", async () => {
  await openTrace(`/trace/${big.id}`);
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
  await openTrace(`/trace/${big.id}`);
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
  await openTrace(`/trace/${big.id}?zoom=2000000-4000000`);
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
  await fresh({ permissions: ["clipboard-read", "clipboard-write"] });
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

describe("32: Jaeger's keys", () => {
  const zoom = () => params().get("zoom")?.split("-").map(Number) ?? [0, 10e6];
  const top = () => grid().evaluate((e) => e.scrollTop);
  /** Presses a key; gives how far the view went, as a share of its width, and how much narrower it is. */
  const moves = async (key: string) => {
    const [a, b] = zoom() as [number, number];
    await page.keyboard.press(key);
    await expect.poll(() => zoom().join()).not.toBe(`${a},${b}`);
    const [c, d] = zoom() as [number, number];
    return { pan: ((c + d) / 2 - (a + b) / 2) / (b - a), zoom: (d - c) / (b - a) };
  };
  test("pan and zoom, with Shift further", async () => {
    await openTrace(`/trace/${big.id}?zoom=3000000-5000000`);
    const right = await moves("d"), left = await moves("a");
    expect(right.pan).toBeGreaterThan(0);
    expect(left.pan).toBeCloseTo(-right.pan, 6);
    expect(right.zoom).toBeCloseTo(1, 6);
    expect((await moves("ArrowRight")).pan).toBeCloseTo(right.pan, 6);
    expect((await moves("ArrowLeft")).pan).toBeCloseTo(left.pan, 6);
    for (const [key, near] of [["Shift+D", right.pan], ["Shift+A", left.pan], ["Shift+ArrowRight", right.pan], ["Shift+ArrowLeft", left.pan]] as const) {
      const far = (await moves(key)).pan;
      expect(Math.sign(far), key).toBe(Math.sign(near));
      expect(Math.abs(far), key).toBeGreaterThan(Math.abs(near) * 3);
    }
    const nearer = (await moves("ArrowUp")).zoom, wider = (await moves("ArrowDown")).zoom;
    expect(nearer).toBeLessThan(1);
    expect(wider).toBeCloseTo(1 / nearer, 6);
    expect((await moves("Shift+ArrowUp")).zoom).toBeLessThan(nearer);
    expect((await moves("Shift+ArrowDown")).zoom).toBeGreaterThan(wider);
  });
  test("scrolling, collapsing and expanding", async () => {
    await openTrace(`/trace/${big.id}`);
    await page.keyboard.press("s");
    await expect.poll(top).toBeGreaterThan(0);
    await page.keyboard.press("w");
    await expect.poll(top).toBe(0);
    const levels: number[] = [];
    for (const key of ["]", "o", "o", "p", "["]) {
      await page.keyboard.press(key);
      levels.push(await count());
    }
    expect(levels).toEqual([1, 8, 57, 8, 10_000]);
  });
  test("finding: Ctrl B, f and b from match to match, Esc clears", async () => {
    await openTrace(`/trace/${big.id}`);
    await page.keyboard.press("Control+b");
    await page.keyboard.type("number=7");
    const hits = big.spans.filter((x) => tag(x, "number") === "7").map((x) => x.id);
    await page.locator(".found", { hasText: `${hits.length} match` }).waitFor();
    await page.locator("h1").click(); // out of the field
    await page.keyboard.press("f");
    await expect.poll(() => params().get("span")).toBe(hits[0]);
    await page.keyboard.press("Escape"); // clears the find
    await expect.poll(() => page.locator(".found").count()).toBe(0);
    expect(await page.locator("[data-find] input").first().inputValue()).toBe("");
    await page.keyboard.press("f"); // of no matches every row is one
    await expect.poll(() => params().get("span")).not.toBe(hits[0]);
    await page.keyboard.press("b");
    await expect.poll(() => params().get("span")).toBe(hits[0]);
  });
  test("? lists them all, in a dialog without a serious finding that gives the focus back", async () => {
    await openTrace(`/trace/${big.id}`);
    await grid().focus();
    await page.keyboard.press("?");
    const help = page.getByRole("dialog", { name: "Keyboard" });
    const keys = (await help.locator("kbd").allTextContents()).join(" ");
    for (const k of ["s · w", "a d, ← →", "↑ ↓", "] · [", "p · o", "Ctrl B", "Esc", "f · b"]) expect(keys).toContain(k);
    expect(await violations(page)).toEqual([]); // 50
    await page.keyboard.press("Escape");
    await expect.poll(() => help.count()).toBe(0);
    expect(await grid().evaluate((g) => g === document.activeElement)).toBe(true);
  });
});

test("51: rows are a treegrid that the keyboard walks", async () => {
  await openTrace(`/trace/${id}`);
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
  await page.locator(".detail :focus").waitFor();
  await page.keyboard.press("Escape");
  await expect.poll(() => page.locator(".detail").count()).toBe(0);
  expect(await grid().evaluate((e) => e === document.activeElement)).toBe(true);
});

test("similar siblings fold into one row with their number", async () => {
  await openTrace(`/trace/${flat.id}?fold=similar`);
  expect(await count()).toBeLessThan(1000);
  expect((await texts())[1]).toContain("×");
});

test("29: after short scrolls, down and up, the rows in the document are those on the screen, in order", async () => {
  await openTrace(`/trace/${big.id}?fold=none`);
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
  await openTrace(`/trace/${big.id}`);
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
  await openTrace(`/trace/${big.id}`);
  const asked: string[] = [];
  page.on("request", (r) => /spans\?ids=/.test(r.url()) && asked.push(r.url().split("=")[1]!));
  await rows().nth(3).locator(".what").click();
  await page.locator(".detail .operation").waitFor();
  await expect.poll(() => asked.length).toBe(1);
  await grid().focus();
  for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowDown");
  const chosen = page.locator(".grid .row[aria-selected=true]"), shown = page.locator(".detail tr", { hasText: "span id" }).first();
  await expect.poll(() => chosen.getAttribute("aria-rowindex")).toBe("9"); // the fourth, and five further
  await expect.poll(async () => (await shown.textContent())!.includes(asked.at(-1)!.split(",")[0]!)).toBe(true);
  expect(asked.length).toBeLessThanOrEqual(6);
  expect(new Set(asked).size).toBe(asked.length);
});

test("52: a bar that failed is framed and hatched to its end, however long", async () => {
  const t = { ...made(0x520, "wide", { duration: 9_000_000, tags: { error: "true" } }) };
  await server.zipkin([t]);
  await openTrace(`/trace/${t.traceId}`, { viewport: { width: 1900, height: 700 } });
  await page.getByRole("button", { name: "Critical path", exact: true }).click(); // off: nothing else over the bar
  /** How often the colour changes along the middle of the bar, in each 100 pixels of it. */
  const changes = () => page.locator("canvas.bars").evaluate((c: HTMLCanvasElement) => {
    const g = new OffscreenCanvas(c.width, c.height).getContext("2d", { willReadFrequently: true })!;
    g.drawImage(c, 0, 0);
    const d = g.getImageData(0, 17, c.width, 1).data, out: number[] = [];
    for (let x = 1; x < c.width; x++) if (d.slice(x * 4, x * 4 + 3).join() !== d.slice(x * 4 - 4, x * 4 - 1).join()) out[Math.floor(x / 100)] = (out[Math.floor(x / 100)] ?? 0) + 1;
    return Array.from({ length: Math.floor(c.width / 100) }, (_, i) => out[i] ?? 0);
  });
  await expect.poll(async () => (await changes()).length).toBeGreaterThan(8);
  expect(Math.min(...(await changes()))).toBeGreaterThan(10);
});
