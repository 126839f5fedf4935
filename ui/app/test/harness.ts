// Starts the real binary and Debian's Chromium, and feeds the one for the other.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type Browser, chromium, type Page } from "playwright-core";

export const repo = join(import.meta.dirname, "../../..");

export interface Server { url: string; collector: string; zipkin: (spans: unknown[]) => Promise<void>; stop: () => Promise<void> }

const freePort = () =>
  new Promise<number>((done, fail) => {
    const s = createServer().on("error", fail).listen(0, "127.0.0.1", () => {
      const { port } = s.address() as { port: number };
      s.close(() => done(port));
    });
  });

/** A spandrel with an empty memory store, under a base path and with more flags if given. */
export async function startServer(basePath = "", flags: string[] = []): Promise<Server> {
  const bin = process.env.SPANDREL_BIN ?? join(repo, "bin/spandrel");
  if (!existsSync(bin)) throw new Error(`${bin} is not there: run make build first`);
  const [query, zipkin] = [await freePort(), await freePort()];
  const off = (name: string) => `--${name}=127.0.0.1:0`;
  const child = spawn(bin, ["--span-storage.type=memory", `--query.http-server.host-port=127.0.0.1:${query}`, `--collector.zipkin.host-port=127.0.0.1:${zipkin}`, "--collector.otlp.enabled=false", off("query.grpc-server.host-port"), off("admin.http.host-port"), off("healthcheck.http.host-port"), off("metrics.http.host-port"), ...(basePath ? [`--query.base-path=${basePath}`] : []), ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stdout.on("data", (d) => (log += d));
  child.stderr.on("data", (d) => (log += d));
  const url = `http://127.0.0.1:${query}${basePath}`;
  for (let i = 0; ; i++) {
    if (child.exitCode !== null || i > 200) throw new Error(`spandrel does not start:\n${log}`);
    const ok = await fetch(url + "/api/services").then((r) => r.ok, () => false);
    if (ok) break;
    await new Promise((r) => setTimeout(r, 50));
  }
  const collector = `http://127.0.0.1:${zipkin}/api/v2/spans`;
  return {
    url, collector,
    async zipkin(spans) {
      for (let i = 0; i < spans.length; i += 5000) {
        const r = await fetch(collector, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(spans.slice(i, i + 5000)) });
        if (r.status !== 202) throw new Error(`the collector answered ${r.status}: ${await r.text()}`);
      }
    },
    stop: () => stop(child),
  };
}

const stop = (child: ChildProcess) =>
  new Promise<void>((done) => {
    if (child.exitCode !== null) return done();
    child.once("exit", () => done());
    child.kill("SIGTERM");
  });

export function launch(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
  if (!executablePath) throw new Error("no Chromium here: apt-get install chromium, or set CHROMIUM");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
}

/** A page that remembers everything that goes wrong on it. */
export async function openPage(browser: Browser, server: Server, options: Parameters<Browser["newContext"]>[0] = {}): Promise<{ page: Page; problems: string[] }> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("console", (m) => /error|warning/.test(m.type()) && problems.push(`console: ${m.text()} ${m.location().url}`));
  page.on("pageerror", (e) => problems.push(`exception: ${e.message}`));
  page.on("request", (r) => !r.url().startsWith(new URL(server.url).origin) && !/^(data|blob):/.test(r.url()) && problems.push(`leaves the origin: ${r.url()}`));
  return { page, problems };
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds serious or critical on the page as it is. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const a = (window as unknown as { axe: { run: (o: object) => Promise<{ violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[] }> } }).axe;
    const r = await a.run({ resultTypes: ["violations"] });
    return r.violations.filter((v) => /serious|critical/.test(v.impact)).map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + n.failureSummary.slice(0, 200)).join(" | ")}`);
  });
}

type Zipkin = Record<string, unknown> & { traceId: string; id: string; timestamp?: number; annotations?: { timestamp: number }[] };

/** Recorded posts of real Envoys, moved in time so that the last began a minute ago. */
export function recorded(name: string): Zipkin[] {
  const whole = join(repo, "query/uiapi/testdata/envoy", `${name}.ndjson.gz`);
  const lines = (existsSync(whole) ? gunzipSync(readFileSync(whole)).toString() : readFileSync(join(repo, "collector/zipkin/testdata", `${name}.ndjson`), "utf8")).trim().split("\n");
  const spans = lines.flatMap((l) => JSON.parse((JSON.parse(l) as { body: string }).body) as Zipkin[]);
  const shift = Date.now() * 1000 - 60e6 - Math.max(...spans.map((s) => s.timestamp ?? 0));
  for (const s of spans) {
    if (s.timestamp) s.timestamp += shift;
    for (const a of s.annotations ?? []) a.timestamp += shift;
  }
  return spans;
}

const hex = (n: number, digits: number) => n.toString(16).padStart(digits, "0");

/** A made trace of n spans: 7-ary, six levels and more, five tags a span; each 997th fails. */
export function synthetic(n: number, seed: number, shape: "tree" | "flat" | "chain" = "tree"): { id: string; spans: Zipkin[] } {
  const id = hex(seed, 8) + hex(n, 24);
  const start = Date.now() * 1000 - 120e6 - seed * 1000;
  const total = 10e6;
  const spans: Zipkin[] = [];
  const from = new Float64Array(n), took = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const parent = i === 0 ? -1 : shape === "flat" ? 0 : shape === "chain" ? i - 1 : Math.floor((i - 1) / 7);
    if (parent < 0) took[0] = total;
    else if (shape === "chain") (from[i] = from[parent]! + 1), (took[i] = Math.max(1, took[parent]! - 2));
    else {
      const k = shape === "flat" ? (i - 1) / (n - 1) : ((i - 1) % 7) / 7;
      from[i] = from[parent]! + took[parent]! * k;
      took[i] = Math.max(1, (took[parent]! * (0.6 + 0.35 * ((i * 7919) % 100) / 100)) / (shape === "flat" ? n / 4 : 7));
    }
    spans.push({
      traceId: id, id: hex(i + 1, 16), ...(parent < 0 ? {} : { parentId: hex(parent + 1, 16) }), name: `operation-${i % 23}`, kind: i % 2 ? "SERVER" : "CLIENT",
      timestamp: Math.round(start + from[i]!), duration: Math.max(1, Math.round(took[i]!)), localEndpoint: { serviceName: `made-${i % 12}` },
      tags: { "http.method": "GET", "http.status_code": i % 997 === 996 ? "503" : "200", "http.url": `http://made-${i % 12}:9080/item/${i % 50}`, number: String(i), ...(i % 997 === 996 ? { error: "true" } : { cache: "hit" }) },
    });
  }
  return { id, spans };
}

/** Where screenshots and figures are kept. */
export function artifacts(name: string): string {
  const dir = join(repo, "bin/screenshots");
  mkdirSync(dir, { recursive: true });
  return join(dir, name);
}
