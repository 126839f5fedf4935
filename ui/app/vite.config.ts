import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Every file but the page itself is kept only as .br and .gz: the Go handler
 *  sends what the browser takes and unpacks for those who take neither. */
function precompress(): Plugin {
  let dir = "";
  const walk = (d: string): string[] =>
    readdirSync(d).flatMap((n) => (statSync(join(d, n)).isDirectory() ? walk(join(d, n)) : [join(d, n)]));
  return {
    name: "precompress",
    apply: "build",
    configResolved(c) {
      dir = c.build.outDir;
    },
    closeBundle() {
      for (const f of walk(dir)) {
        if (f.endsWith(".html")) continue;
        const raw = readFileSync(f);
        writeFileSync(f + ".gz", gzipSync(raw, { level: 9 }));
        writeFileSync(f + ".br", brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: raw.length } }));
        rmSync(f);
      }
    },
  };
}

export default defineConfig({
  base: "./", // everything is relative to the page's <base>, whatever prefix a proxy adds
  esbuild: { jsx: "automatic", legalComments: "eof" },
  build: {
    outDir: join(import.meta.dirname, "../dist"),
    emptyOutDir: true,
    target: "es2022",
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { output: { manualChunks: (id) => (/node_modules\/(react|react-dom|scheduler)\//.test(id) ? "react" : undefined) } },
  },
  plugins: [precompress()],
  server: { proxy: { "/api": process.env.SPANDREL_URL ?? "http://127.0.0.1:16686" } },
  test: { include: ["src/**/*.test.{ts,tsx}"] },
} as Parameters<typeof defineConfig>[0]);
