// Comparing two traces.
import { expect, test } from "vitest";
import { violations } from "./harness";
import { byTrace, id, openTrace, page, server, spans, stage } from "./stage";

stage((s) => s.zipkin(spans));

test("9, 43: comparing names what changed, in words, with durations", async () => {
  const other = [...byTrace.values()].filter((t) => t.length < 8 && t.some((s) => !s.parentId))[0]!;
  await openTrace(`/trace/${id}...${other[0]!.traceId}?cohort=${id}`);
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
