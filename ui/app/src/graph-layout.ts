// Layered layout of a directed graph: layers by longest path from the sources,
// order within layers by the mean place of neighbours. Pure, and small enough
// for the graphs of services; anything larger is grouped before.

export interface Placed { x: number; y: number; layer: number }

export function layered(ids: string[], edges: { from: string; to: string }[]): { at: Map<string, Placed>; layers: string[][] } {
  const index = new Map(ids.map((id, i) => [id, i]));
  const out: number[][] = ids.map(() => []), into: number[][] = ids.map(() => []);
  for (const e of edges) {
    const a = index.get(e.from), b = index.get(e.to);
    if (a === undefined || b === undefined || a === b) continue;
    out[a]!.push(b);
    into[b]!.push(a);
  }
  const back = backEdges(out);
  const layer = new Int32Array(ids.length);
  const waits = new Int32Array(ids.length);
  for (let a = 0; a < ids.length; a++) for (const b of out[a]!) if (!back.has(a * ids.length + b)) waits[b]!++;
  const ready = ids.map((_, i) => i).filter((i) => waits[i] === 0);
  for (let k = 0; k < ready.length; k++) {
    const a = ready[k]!;
    for (const b of out[a]!) {
      if (back.has(a * ids.length + b)) continue;
      layer[b] = Math.max(layer[b]!, layer[a]! + 1);
      if (--waits[b]! === 0) ready.push(b);
    }
  }
  const layers: number[][] = [];
  for (const i of ready) (layers[layer[i]!] ??= []).push(i);
  const pos = new Float64Array(ids.length);
  layers.forEach((l) => l.forEach((i, k) => (pos[i] = k - (l.length - 1) / 2)));
  for (let sweep = 0; sweep < 8; sweep++) {
    const down = sweep % 2 === 0;
    for (const l of down ? layers : [...layers].reverse()) {
      const mean = (i: number) => {
        const near = down ? into[i]! : out[i]!;
        return near.length ? near.reduce((s, n) => s + pos[n]!, 0) / near.length : pos[i]!;
      };
      const want = new Map(l.map((i) => [i, mean(i)]));
      l.sort((a, b) => want.get(a)! - want.get(b)! || (ids[a]! < ids[b]! ? -1 : 1));
      l.forEach((i, k) => (pos[i] = k - (l.length - 1) / 2));
    }
  }
  const at = new Map<string, Placed>();
  layers.forEach((l, y) => l.forEach((i) => at.set(ids[i]!, { x: pos[i]!, y, layer: y })));
  return { at, layers: layers.map((l) => l.map((i) => ids[i]!)) };
}

/** Edges that close a circle, found by a walk in depth without recursion. */
function backEdges(out: number[][]): Set<number> {
  const back = new Set<number>();
  const state = new Uint8Array(out.length); // 1 on the way, 2 done
  for (let s = 0; s < out.length; s++) {
    if (state[s]) continue;
    const stack: [number, number][] = [[s, 0]];
    state[s] = 1;
    while (stack.length) {
      const top = stack[stack.length - 1]!;
      const b = out[top[0]]![top[1]++];
      if (b === undefined) {
        state[top[0]] = 2;
        stack.pop();
      } else if (state[b] === 1) back.add(top[0] * out.length + b);
      else if (!state[b]) {
        state[b] = 1;
        stack.push([b, 0]);
      }
    }
  }
  return back;
}
