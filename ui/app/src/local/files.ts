// The traces of the files that were opened: what the page asks the server about
// stored traces, it asks this about these. It runs in a worker.
import type { SpanDetail, Summary, TagKey } from "../api";
import type { TraceEvents } from "../trace/source";
import { hex, ERROR, type Skeleton, text } from "../trace/skeleton";
import { splitService } from "../mesh";
import { type Rows, rowsOf, skeletonOf } from "./build";
import { parseQuery } from "./find";
import { maxSpans, readText, Unreadable } from "./forms";
import { detailOf, type Span } from "./span";

export interface Problem { file: string; message: string }
export interface Opened { traces: Summary[]; fresh: string[]; problems: Problem[] } // fresh: ids of those in the files

const maxEvents = 50_000, maxTraces = 20_000;

interface Held { rows: Rows; summary: Summary }

export class Files {
  private traces = new Map<string, Held>();

  /** Opens files that were chosen together: the parts of one trace in them are put together. A trace that was open already is replaced. */
  open(files: { name: string; text: string }[]): Opened {
    const problems: Problem[] = [];
    const spans = new Map<string, Span[]>();
    for (const f of files) {
      try {
        const read = readText(f.text, /\.(jsonl|ndjson|jsonlines)$/i.test(f.name));
        if (!read.length) problems.push({ file: f.name, message: "It has no spans." });
        for (const s of read) {
          const of = spans.get(s.trace);
          of ? of.push(s) : spans.set(s.trace, [s]);
        }
      } catch (e) {
        problems.push({ file: f.name, message: e instanceof Unreadable ? e.message : `It cannot be read: ${(e as Error).message}` });
      }
      f.text = ""; // of a large file there is no room for two forms at once
    }
    for (const id of spans.keys()) this.traces.delete(id);
    const fresh: string[] = [];
    let held = [...this.traces.values()].reduce((n, t) => n + t.rows.list.length, 0);
    let left = 0;
    for (const [id, list] of spans) {
      spans.delete(id);
      if (held + list.length > maxSpans || this.traces.size >= maxTraces) {
        left++;
        continue;
      }
      held += list.length;
      const rows = rowsOf(id, list);
      fresh.push(id);
      this.traces.set(id, { rows, summary: summaryOf(skeletonOf(rows)) });
    }
    if (left) problems.push({ file: "", message: `${left} of the traces are left out: more than ${maxSpans.toLocaleString("en")} spans or ${maxTraces.toLocaleString("en")} traces are too many for a page.` });
    return { traces: this.list(), fresh, problems };
  }

  list = (): Summary[] => [...this.traces.values()].map((t) => t.summary);

  private rows(id: string): Rows {
    const held = this.traces.get(id) ?? [...this.traces].find(([k]) => k.replace(/^0+/, "") === id.toLowerCase().replace(/^0+/, ""))?.[1];
    if (!held) throw new Error("not open");
    return held.rows;
  }

  skeleton = (id: string, tags: string[] = []): Skeleton => skeletonOf(this.rows(id), tags);

  keys(id: string, prefix: string): TagKey[] {
    const spans = new Map<string, number>(), begin = prefix.toLowerCase();
    for (const { span } of this.rows(id).list)
      for (const key of new Set(span.tags.map((t) => t.key)))
        if (key && key.length <= 256 && key.toLowerCase().startsWith(begin)) spans.set(key, (spans.get(key) ?? 0) + 1);
    return [...spans].map(([key, n]) => ({ key, spans: n })).sort((a, b) => b.spans - a.spans || (a.key < b.key ? -1 : 1)).slice(0, 200);
  }

  spans(id: string, ids: string[]): SpanDetail[] {
    const wanted = new Set(ids);
    return this.rows(id).list.filter((p) => wanted.has(p.span.id)).slice(0, 2000).map((p) => detailOf(p.span, p.view));
  }

  find(id: string, q: string): number[] {
    const test = parseQuery(q);
    const found: number[] = [];
    this.rows(id).list.forEach((p, r) => test(p.span) && found.push(r));
    return found.slice(0, 100_000);
  }

  events(id: string): TraceEvents {
    const { list } = this.rows(id);
    let start = list[0]!.span.start;
    for (const { span: s } of list) if (s.start.us < start.us || (s.start.us === start.us && s.start.ns < start.ns)) start = s.start;
    const all = list.flatMap(({ span }, row) => span.events.map((e) => ({ row, at: ((e.time.us - start.us) * 1000 + e.time.ns - start.ns) / 1000, name: e.name, fields: e.fields.length ? e.fields : undefined })));
    all.sort((a, b) => a.at - b.at || a.row - b.row);
    return { events: all.slice(0, maxEvents), count: all.length };
  }
}

/** What the list says of a trace, as the server's search says it. */
function summaryOf(t: Skeleton): Summary {
  let root = 0;
  for (let r = 0; r < t.n; r += t.size[r]!) if (!(t.flags[r]! & 16)) { root = r; break; }
  const services = new Map<number, { name: string; namespace?: string; spans: number; errors: number; revisions: string[] }>();
  const statuses: Record<string, number> = {}, flags: Record<string, number> = {};
  for (let r = 0; r < t.n; r++) {
    const name = t.services[t.service[r]!]!;
    const s = services.get(t.service[r]!) ?? { name, namespace: splitService(name).namespace || undefined, spans: 0, errors: 0, revisions: [] };
    services.set(t.service[r]!, s);
    s.spans++;
    if (t.flags[r]! & ERROR) s.errors++;
    const revision = text(t, "revision", r);
    if (revision && !s.revisions.includes(revision)) s.revisions.push(revision);
    const status = text(t, "status", r), response = text(t, "response", r);
    if (status) statuses[status] = (statuses[status] ?? 0) + 1;
    if (response && response !== "-") flags[response] = (flags[response] ?? 0) + 1;
  }
  return {
    id: t.id, start: t.start, duration: t.duration, spans: t.n, errors: t.errors, orphans: t.orphans, roots: t.roots,
    root: {
      id: hex(t.ids[root]!), service: t.services[t.service[root]!]!, operation: t.operations[t.operation[root]!]!, kind: t.kinds[t.kind[root]!]!, duration: t.took[root]!, error: !!(t.flags[root]! & ERROR),
      status: text(t, "status", root) || undefined, flags: text(t, "response", root) || undefined, method: text(t, "method", root) || undefined, path: text(t, "path", root) || undefined, host: text(t, "host", root) || undefined,
    },
    services: [...services.values()].slice(0, 100), moreServices: services.size > 100 ? services.size - 100 : undefined, statuses, flags, matched: 0,
  };
}
