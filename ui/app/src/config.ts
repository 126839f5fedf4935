// What the operator has set, in the file that Jaeger calls ui-config.json. The
// server puts it into the page as it is; whatever is not of the type that is
// wanted here is as good as left out. docs/compatibility.md lists the keys.

export interface MenuItem { label: string; url: string; target: string }
export interface MenuGroup { label: string; items: MenuItem[] }

export interface Config {
  criticalPath: boolean;
  map: boolean; // whether the menu has it
  services: boolean;
  upload: boolean;
  jsonView: boolean;
  newPage: boolean; // links to elsewhere may open one
  linkPatterns: unknown[]; // trace/links.ts reads them
  menu: (MenuItem | MenuGroup)[];
  lookback: string; // of a search that has none
  maxLookback: { value: string; label: string } | null;
  adjustEnd: number; // µs before now that a look-back ends
  maxLimit: number;
  themeButton: boolean;
  topTags: string[]; // prefixes of the tags that come first
  idLength: number;
}

/** As many results as the server gives. */
export const mostResults = 1500;
const entries = 100;

type Obj = Record<string, unknown>;
const obj = (v: unknown): Obj => (typeof v === "object" && v !== null && !Array.isArray(v) ? (v as Obj) : {});
const list = (v: unknown): unknown[] => (Array.isArray(v) ? v : []);
const text = (v: unknown, longest = 200) => (typeof v === "string" ? v.slice(0, longest) : "");
const whole = (v: unknown, least: number, most: number, fallback: number) => (Number.isInteger(v) ? Math.min(most, Math.max(least, v as number)) : fallback);

export const units: Record<string, number> = { s: 1e6, m: 60e6, h: 3600e6, d: 86_400e6, w: 7 * 86_400e6 };

/** "2d" → µs; 0 if it is no length of time. */
function micros(v: unknown): number {
  const m = /^(\d{1,4})([smhdw])$/.exec(text(v));
  return m ? Number(m[1]) * units[m[2]!]! : 0;
}

/** The address if a link may lead there: over HTTP, or within this server; else "". */
export function safeURL(url: string): string {
  try {
    return /^https?:$/.test(new URL(url, "http://here/").protocol) ? url : "";
  } catch {
    return "";
  }
}

export function readConfig(json: string | null | undefined): Config {
  let c: Obj = {};
  try {
    c = obj(JSON.parse(json || "{}"));
  } catch {
    // a page that no server has filled in
  }
  const search = obj(c.search), newPage = c.forbidNewPage !== true;
  const item = (v: unknown): MenuItem[] => {
    const { label, url, anchorTarget } = obj(v);
    const named = typeof anchorTarget === "string" && /^_(self|blank|parent|top)$/.test(anchorTarget);
    return text(label) ? [{ label: text(label), url: safeURL(text(url, 4000)), target: newPage ? (named ? anchorTarget : "_blank") : "_top" }] : [];
  };
  const max = obj(search.maxLookback);
  return {
    criticalPath: c.criticalPathEnabled !== false,
    map: (obj(c.dependencies).menuEnabled ?? c.dependenciesMenuEnabled) !== false,
    services: obj(c.monitor).menuEnabled !== false,
    upload: c.disableFileUploadControl !== true,
    jsonView: c.disableJsonView !== true,
    newPage,
    linkPatterns: list(c.linkPatterns).slice(0, 200),
    menu: list(c.menu).slice(0, entries).flatMap((v): (MenuItem | MenuGroup)[] => {
      const { label, items } = obj(v);
      return Array.isArray(items) ? (text(label) ? [{ label: text(label), items: items.slice(0, entries).flatMap(item) }] : []) : item(v);
    }),
    lookback: micros(search.defaultLookback) ? text(search.defaultLookback) : "1h",
    maxLookback: micros(max.value) ? { value: text(max.value), label: text(max.label) } : null,
    adjustEnd: micros(search.adjustEndTime),
    maxLimit: whole(search.maxLimit, 1, mostResults, mostResults),
    themeButton: obj(c.themes).enabled !== false,
    topTags: list(c.topTagPrefixes).slice(0, entries).map((p) => text(p).toLowerCase()).filter(Boolean),
    idLength: whole(c.traceIdDisplayLength, 1, 32, 7),
  };
}

export const config = readConfig(typeof document === "undefined" ? null : document.getElementById("ui-config")?.textContent);

/** Where links to other sites open. */
export const elsewhere = config.newPage ? "_blank" : "_top";
