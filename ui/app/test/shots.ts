// Pictures of views for people to look at: vite-node test/shots.ts [path…]
import { artifacts, launch, openPage, recorded, startServer, synthetic } from "./harness";

const server = await startServer();
const browser = await launch();
try {
  const spans = recorded("bookinfo");
  await server.zipkin(spans);
  const big = synthetic(10_000, 1);
  await server.zipkin(big.spans);
  const made = big.id;
  const wrong = spans.find((s) => (s.tags as Record<string, string>).response_flags === "URX,UF")!;
  const many = new Map<string, number>();
  for (const s of spans) many.set(s.traceId, (many.get(s.traceId) ?? 0) + 1);
  const usual = [...many].sort((a, b) => b[1] - a[1])[0]![0];
  const other = [...many].sort((a, b) => b[1] - a[1])[1]![0];
  const all: Record<string, string> = {
    search: "/search?limit=100", "search-facet": "/search?limit=100&facet=outcome:with%20errors&chart=hist", "search-empty": "/search?service=nobody&q=a%3Db",
    trace: `/trace/${usual}`, "trace-detail": `/trace/${wrong.traceId}?span=${wrong.id}`, "trace-unfolded": `/trace/${wrong.traceId}?fold=none`,
    "trace-10k": `/trace/${made}`, flame: `/trace/${made}?view=flame`, graph: `/trace/${usual}?view=graph`, stats: `/trace/${usual}?view=stats&group=revision`, spans: `/trace/${usual}?view=spans`, logs: `/trace/${usual}?view=logs`, root: `/trace/${made}?root=${big.spans[3]!.id}&span=${big.spans[22]!.id}`, files: "/upload",
    status: "/status", services: "/monitor", service: "/monitor?service=reviews.default", map: "/dependencies?focus=productpage.default&depth=3", errors: "/errors", mesh: "/mesh", compare: `/trace/${usual}...${other}`,
  };
  const wanted = process.argv.slice(2).filter((a) => a in all);
  for (const [theme, width] of [["light", 1440], ["dark", 1440], ["light", 390]] as const) {
    if (process.env.THEMES && !process.env.THEMES.split(",").includes(theme + width)) continue;
    const { page, problems } = await openPage(browser, server, { colorScheme: theme, viewport: { width, height: width > 500 ? 900 : 844 } });
    for (const [name, path] of Object.entries(all)) {
      if (wanted.length && !wanted.includes(name)) continue;
      await page.goto(server.url + path);
      await page.waitForLoadState("networkidle", { timeout: 4000 }).catch(() => {});
      await page.waitForTimeout(250);
      await page.screenshot({ path: artifacts(`${name}-${theme}-${width}.png`) });
    }
    for (const p of problems) console.log(theme, width, p);
    await page.context().close();
  }
} finally {
  await browser.close();
  await server.stop();
}
