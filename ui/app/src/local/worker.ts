// Reads files and answers about their traces, apart from the page's thread, so
// that a large file does not hold it up. Nothing here asks the server anything.
import { Files, type Opened, type Problem } from "./files";
import { maxBytes } from "./forms";
import type { Skeleton } from "../trace/skeleton";

export interface Calls {
  open: [files: File[]];
  skeleton: [id: string, tags: string[]];
  keys: [id: string, prefix: string];
  spans: [id: string, ids: string[]];
  find: [id: string, q: string];
  events: [id: string];
}

const files = new Files();

async function open(list: File[]): Promise<Opened> {
  const texts: { name: string; text: string }[] = [];
  const problems: Problem[] = [];
  for (const f of list) {
    try {
      texts.push({ name: f.name.replace(/\.gz$/i, ""), text: await textOf(f) });
    } catch (e) {
      problems.push({ file: f.name, message: (e as Error).message });
    }
  }
  const opened = files.open(texts);
  return { ...opened, problems: [...problems, ...opened.problems] };
}

const tooLarge = `It is larger than ${maxBytes >> 20} MB, which is too much for a page.`;

/** A file's text, unpacked if need be. */
async function textOf(f: File): Promise<string> {
  if (f.size > maxBytes) throw new Error(tooLarge);
  const [a, b] = new Uint8Array(await f.slice(0, 2).arrayBuffer());
  if (a !== 0x1f || b !== 0x8b) return f.text();
  const parts: BlobPart[] = [];
  let size = 0;
  const reader = f.stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new Error("It is not whole: its gzip cannot be unpacked.");
    });
    if (done) return new Blob(parts).text();
    size += value.length;
    if (size > maxBytes) throw new Error(tooLarge);
    parts.push(value as Uint8Array<ArrayBuffer>);
  }
}

function buffersOf(t: Skeleton): Transferable[] {
  const arrays = [t.parent, t.level, t.size, t.from, t.took, t.service, t.operation, t.kind, t.flags, t.pair, t.shift, t.proxy, t.ids, t.views, ...Object.values(t.columns)];
  return [...new Set(arrays.flatMap((a) => (a ? [(a as unknown as Uint8Array).buffer as ArrayBuffer] : [])))];
}

async function answer({ n, call, args }: { n: number; call: keyof Calls; args: unknown[] }) {
  try {
    if (call === "find") postMessage({ n, begun: true });
    const result = call === "open" ? await open(args[0] as File[]) : (files[call] as (...a: unknown[]) => unknown)(...args);
    postMessage({ n, result }, { transfer: call === "skeleton" ? buffersOf(result as Skeleton) : [] });
  } catch (x) {
    postMessage({ n, error: (x as Error).message });
  }
}

let before = Promise.resolve(); // what is asked after a file is opened is answered with it
onmessage = (e: MessageEvent<Parameters<typeof answer>[0]>) => {
  before = before.then(() => answer(e.data));
};
