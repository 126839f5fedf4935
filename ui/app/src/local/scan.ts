// Where in a JSON text something is. The browser's parser is fast but does not
// say where what it read was, nor always where it stopped; this one is asked
// only when there is something to blame.

export class JsonError extends Error {
  constructor(readonly at: number, message: string) {
    super(message);
  }
}

const deepest = 1000;

/** Finds what is wrong with a JSON text; null if nothing is. */
export function firstError(s: string): JsonError | null {
  try {
    const end = blank(s, skip(s, blank(s, 0), 0));
    return end < s.length ? new JsonError(end, `nothing more is expected, but ${found(s, end)} follows`) : null;
  } catch (e) {
    if (e instanceof JsonError) return e;
    throw e;
  }
}

/** Where the value at the path begins, or the last part of the path that is there. */
export function locate(s: string, path: (string | number)[]): number {
  let at = blank(s, 0);
  for (const step of path) {
    const next = child(s, at, step);
    if (next < 0) break;
    at = next;
  }
  return at;
}

/** Line and column, from 1. */
export function lineOf(s: string, at: number): { line: number; column: number } {
  let line = 1, start = 0;
  for (let i = s.indexOf("\n"); i >= 0 && i < at; i = s.indexOf("\n", i + 1)) (line++, (start = i + 1));
  return { line, column: at - start + 1 };
}

function child(s: string, at: number, step: string | number): number {
  const list = s[at] === "[";
  if (!list && s[at] !== "{") return -1;
  let last = -1;
  at = blank(s, at + 1);
  for (let i = 0; s[at] !== "]" && s[at] !== "}"; i++) {
    let key: string | number = i;
    if (!list) {
      const end = string(s, at);
      key = JSON.parse(s.slice(at, end)) as string;
      at = blank(s, blank(s, end) + 1);
    }
    if (key === step) {
      if (list) return at;
      last = at; // of a key given twice the last counts
    }
    at = blank(s, skip(s, at, 0));
    if (s[at] === ",") at = blank(s, at + 1);
  }
  return last;
}

function blank(s: string, i: number): number {
  for (let c = s.charCodeAt(i); c === 32 || c === 10 || c === 13 || c === 9; c = s.charCodeAt(++i));
  return i;
}

const found = (s: string, i: number) => (i < s.length ? `“${String.fromCodePoint(s.codePointAt(i)!)}”` : "the end");

/** The place after the value. */
function skip(s: string, i: number, depth: number): number {
  if (depth > deepest) throw new JsonError(i, `lists and objects are nested more than ${deepest} deep`);
  const c = s[i];
  if (c === '"') return string(s, i);
  if (c === "{" || c === "[") {
    const close = c === "{" ? "}" : "]";
    i = blank(s, i + 1);
    if (s[i] === close) return i + 1;
    for (;;) {
      if (c === "{") {
        if (s[i] !== '"') throw new JsonError(i, `a key in quotes is expected, not ${found(s, i)}`);
        i = blank(s, string(s, i));
        if (s[i] !== ":") throw new JsonError(i, `a colon is expected, not ${found(s, i)}`);
        i = blank(s, i + 1);
      }
      i = blank(s, skip(s, i, depth + 1));
      if (s[i] === close) return i + 1;
      if (s[i] !== ",") throw new JsonError(i, `a comma or ${close} is expected, not ${found(s, i)}`);
      i = blank(s, i + 1);
    }
  }
  const rest = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;
  rest.lastIndex = i;
  if (!rest.test(s)) throw new JsonError(i, `a value is expected, not ${found(s, i)}`);
  return rest.lastIndex;
}

function string(s: string, from: number): number {
  for (let i = from + 1; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c === 34) return i + 1;
    if (c < 32) throw new JsonError(i, "a control character in a text");
    if (c === 92) {
      const escape = /u[0-9a-fA-F]{4}|["\\/bfnrt]/y;
      escape.lastIndex = i + 1;
      if (!escape.test(s)) throw new JsonError(i, "an escape that JSON does not know");
      i = escape.lastIndex - 1;
    }
  }
  throw new JsonError(from, "a text that begins here does not end");
}
