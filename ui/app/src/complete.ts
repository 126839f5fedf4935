// What is being typed in a query at the caret: a key, or a value of a key.

export interface Typing {
  kind: "key" | "value";
  key: string; // of a value
  prefix: string;
  from: number; // what a choice replaces
  to: number;
}

/** Reads the query up to the caret with the grammar's quoting. */
export function typing(text: string, caret: number): Typing {
  let start = 0; // of the term
  let quoted = false;
  let op = -1; // where its value begins
  let keyEnd = 0;
  for (let i = 0; i < caret; i++) {
    const c = text[i]!;
    if (quoted && c === "\\") i++;
    else if (c === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (/\s/.test(c)) {
      const rest = text.slice(i).trimStart();
      const before = text.slice(start, i);
      if (/^[=!~<>]/.test(rest) && op < 0 && before && !/^[!](?![=~])/.test(rest)) continue; // spaces before an operator
      if (op >= 0 && op === i) op = i + 1; // and after one
      else (start = i + 1), (op = -1);
    } else if (op < 0 && /[=~<>]/.test(c) && i > start) {
      keyEnd = text[i - 1] === "!" ? i - 1 : i;
      op = i + 1;
    } else if (op === i && c === "=") op = i + 1; // >= and <=
  }
  let to = caret;
  while (to < text.length && !/[\s=~<>!]/.test(text[to]!)) to++;
  const bare = (s: string) => s.trim().replace(/^[-!]+/, "").replace(/^"|"$/g, "").replace(/\\(.)/g, "$1");
  if (op >= 0) return { kind: "value", key: bare(text.slice(start, keyEnd)), prefix: bare(text.slice(op, caret)), from: op, to };
  const sign = /^[-!]*/.exec(text.slice(start, caret))![0].length;
  return { kind: "key", key: "", prefix: bare(text.slice(start, caret)), from: start + sign, to };
}

const plain = /^[\w.:\-/@*|]+$/;
export const quoteIfNeeded = (s: string) => (plain.test(s) && s !== "-" ? s : `"${s.replace(/["\\]/g, "\\$&")}"`);
