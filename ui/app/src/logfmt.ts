// Jaeger's tags field: key=value pairs in logfmt, "…" around what has spaces.
// Unlike Jaeger it takes spaces around = and says what it cannot read.

export class LogfmtError extends Error {}

export function parseLogfmt(text: string): Record<string, string> {
  const tags: Record<string, string> = {};
  let i = 0;
  const space = () => {
    while (i < text.length && /\s/.test(text[i]!)) i++;
  };
  const word = (stop: RegExp): string => {
    if (text[i] !== '"') {
      const from = i;
      while (i < text.length && !stop.test(text[i]!)) i++;
      return text.slice(from, i);
    }
    let out = "";
    for (i++; i < text.length && text[i] !== '"'; i++) {
      if (text[i] === "\\" && i + 1 < text.length) i++;
      out += text[i];
    }
    if (i >= text.length) throw new LogfmtError('a quote (") is not closed');
    i++;
    return out;
  };
  for (space(); i < text.length; space()) {
    const key = word(/[\s=]/);
    if (!key) throw new LogfmtError(`a key is missing before "${text.slice(i, i + 20)}"`);
    if (/[!<>~]$/.test(key)) throw new LogfmtError(`"${key}=" cannot be used here: tags are key=value; the query below knows !=, ~ and ranges`);
    space();
    if (text[i] !== "=") throw new LogfmtError(`"${key}" has no value: write ${key}=value`);
    i++;
    space();
    tags[key] = word(/\s/);
  }
  return tags;
}

const plain = /^[^\s="\\]+$/;
const quote = (s: string, ok = plain) => (ok.test(s) ? s : `"${s.replace(/["\\]/g, "\\$&")}"`);

export const formatLogfmt = (tags: Record<string, string>) =>
  Object.entries(tags)
    .map(([k, v]) => `${quote(k)}=${quote(v, /^[^\s"\\]+$/)}`)
    .join(" ");

/** One condition of the query language of docs/ui-api.md. */
export const condition = (key: string, op: string, value: string) => `${/^[\w.:\-/]+$/.test(key) && !/^-/.test(key) ? key : quoteAlways(key)}${op}${/^[\w.:\-/@*|]+$/.test(value) && !/^-$/.test(value) ? value : quoteAlways(value)}`;
const quoteAlways = (s: string) => `"${s.replace(/["\\]/g, "\\$&")}"`;
