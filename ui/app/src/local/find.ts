// Finding spans of a file with the grammar of docs/ui-api.md: what
// query/parse.go and condition.go do for stored ones.
import { parseDuration } from "../format";
import { fieldTag, type Span, serviceOf, valueText } from "./span";

export class QueryError extends Error {}
export type Test = (s: Span) => boolean;

const most = 20, longest = 4096;

/** Makes a test of a query; all of its conditions must hold. */
export function parseQuery(text: string): Test {
  if (text.length > longest) throw new QueryError(`the query is longer than ${longest} bytes`);
  const tests: Test[] = [];
  let i = 0;
  const fail = (what: string): never => {
    throw new QueryError(`${what} at position ${i + 1}, after "${text.slice(Math.max(0, i - 20), i)}"`);
  };
  const spaces = () => {
    while (i < text.length && " \t\r\n".includes(text[i]!)) i++;
  };
  const word = (end: string): { word: string; quoted: boolean } => {
    if (text[i] !== '"') {
      const from = i;
      while (i < text.length && !end.includes(text[i]!)) i++;
      return { word: text.slice(from, i), quoted: false };
    }
    let out = "";
    for (i++; i < text.length && text[i] !== '"'; i++) {
      if (text[i] === "\\" && i + 1 < text.length) i++;
      out += text[i];
    }
    if (i >= text.length) fail("a quote is not closed");
    i++;
    return { word: out, quoted: true };
  };
  for (let n = 0; ; n++) {
    spaces();
    if (i >= text.length) break;
    if (n === most) throw new QueryError(`the query has more than ${most} conditions`);
    const negate = text[i] === "!" || text[i] === "-";
    if (negate) i++;
    const { word: key, quoted } = word(" \t\r\n=!~<>");
    if (!key && !quoted) fail("a key is expected");
    const before = i;
    spaces();
    const op = ["!=", "!~", ">=", "<=", "=", "~", ">", "<"].find((o) => text.startsWith(o, i));
    if (!op) {
      i = before;
      const want = key.toLowerCase();
      tests.push(negated(negate, (s) => anywhere(s, want)));
      continue;
    }
    i += op.length;
    spaces();
    const { word: value, quoted: valueQuoted } = word(" \t\r\n");
    if (!value && !valueQuoted && op !== "=" && op !== "!=") fail("a value is expected");
    if (key === "duration" && !quoted) {
      tests.push(durationTest(op, value, negate, fail));
      continue;
    }
    const passes = compare(op.replace("!", ""), value, fail);
    const values = key === "service" && !quoted ? (s: Span) => [serviceOf(s)] : key === "operation" && !quoted ? (s: Span) => [s.name] : (s: Span) => valuesOf(s, key);
    if (op.startsWith("!")) {
      if (negate) fail("a condition is negated twice");
      tests.push((s) => { // there is a value, and it is not that
        const all = values(s);
        return all.length > 0 && !all.some(passes);
      });
    } else tests.push(negated(negate, (s) => values(s).some(passes)));
  }
  return (s) => tests.every((t) => t(s));
}

const negated = (negate: boolean, t: Test): Test => (negate ? (s) => !t(s) : t);

/** Texts under a key: of tags of the span, its process and its events, or of a field. */
function valuesOf(s: Span, key: string): string[] {
  const values: string[] = [];
  for (const list of [s.tags, s.process]) for (const t of list) if (t.key === key) values.push(valueText(t));
  for (const e of s.events) {
    if (key === "event" && e.name) values.push(e.name);
    for (const f of e.fields) if (f.key === key) values.push(valueText(f));
  }
  const field = fieldTag(s, key);
  if (field) values.push(field);
  return values;
}

function anywhere(s: Span, want: string): boolean {
  const has = (x: string) => x.toLowerCase().includes(want);
  if (has(serviceOf(s)) || has(s.name) || s.id === want) return true;
  const inList = (tags: Span["tags"]) => tags.some((t) => has(t.key) || has(valueText(t)) || (want.includes("=") && has(`${t.key}=${valueText(t)}`)));
  return inList(s.tags) || inList(s.process) || s.events.some((e) => (e.name !== "" && has(e.name)) || inList(e.fields));
}

function compare(op: string, value: string, fail: (what: string) => never): (text: string) => boolean {
  if (op === "=") return (x) => x === value;
  if (op === "~") {
    try {
      // Go's flags in front are JavaScript's beside
      const [, on = "", rest = value] = /^\(\?([ims]+)\)(.*)$/s.exec(value) ?? [];
      const re = new RegExp(rest, on + "u");
      return (x) => re.test(x);
    } catch (e) {
      return fail((e as Error).message);
    }
  }
  const n = number(value);
  if (n === null) return fail("a number is expected");
  const test: Record<string, (x: number) => boolean> = { ">": (x) => x > n, ">=": (x) => x >= n, "<": (x) => x < n, "<=": (x) => x <= n };
  return (x) => {
    const v = number(x);
    return v !== null && test[op]!(v);
  };
}

function number(text: string): number | null {
  return /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text) ? Number(text) : null;
}

function durationTest(op: string, value: string, negate: boolean, fail: (what: string) => never): Test {
  const us = number(value) ?? parseDuration(value);
  if (us === null || us < 0) return fail("a duration such as 150ms is expected");
  const ns = Math.floor(us * 1000);
  const opposite: Record<string, string> = { ">": "<=", ">=": "<", "<": ">=", "<=": ">" };
  const tests: Record<string, Test> = { "=": (s) => s.took === ns, ">": (s) => s.took > ns, ">=": (s) => s.took >= ns, "<": (s) => s.took < ns, "<=": (s) => s.took <= ns };
  return tests[negate ? (opposite[op] ?? "") : op] ?? fail("durations can be compared with =, <, <=, > and >=");
}
