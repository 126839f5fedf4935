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

/** Tells theme.js, which runs first, the files of the views that people begin with. */
function firstViews(): Plugin {
  const views = { trace: "/src/trace/index.tsx", search: "/src/explore/index.tsx" };
  return {
    name: "first-views",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler(html, { bundle }) {
        const chunks = Object.values(bundle ?? {}).flatMap((c) => (c.type === "chunk" ? [c] : []));
        const entry = chunks.find((c) => c.isEntry);
        const data = Object.entries(views).map(([name, module]) => {
          const view = chunks.find((c) => c.moduleIds.some((id) => id.endsWith(module)));
          if (!view || !entry) throw new Error(`no file of ${module}`);
          const files = [view.fileName, ...view.imports].filter((f) => f !== entry.fileName && !entry.imports.includes(f));
          return `data-${name}="${files.join(" ")}"`;
        });
        return html.replace('src="theme.js"', `src="theme.js" ${data.join(" ")}`);
      },
    },
  };
}

/** The code is written for React's API; Preact is what runs it (docs/adr/0006). */
const react = [
  { find: /^react-dom\/client$/, replacement: "preact/compat/client" },
  { find: /^react\/jsx-(dev-)?runtime$/, replacement: "preact/jsx-runtime" },
  { find: /^react(-dom)?$/, replacement: "preact/compat" },
];

export default defineConfig({
  base: "./", // everything is relative to the page's <base>, whatever prefix a proxy adds
  resolve: { alias: react },
  esbuild: { jsx: "automatic", legalComments: "eof" },
  build: {
    outDir: join(import.meta.dirname, "../dist"),
    emptyOutDir: true,
    target: "es2022",
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { output: { manualChunks: (id) => (/node_modules\/preact\//.test(id) ? "preact" : undefined) } },
  },
  plugins: [firstViews(), precompress()],
  server: { proxy: { "/api": process.env.SPANDREL_URL ?? "http://127.0.0.1:16686" } },
  test: { include: ["src/**/*.test.{ts,tsx}"] },
} as Parameters<typeof defineConfig>[0]);
