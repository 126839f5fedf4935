// The state of one open trace, apart from React: what is folded, filtered,
// zoomed and selected. Views subscribe; the grid reads it on every frame.
import { config } from "../config";
import { serviceColors } from "../theme-colors";
import { criticalPath, type Path } from "./critical";
import { Details } from "./details";
import { stored } from "./load";
import { collapseAll, collapseLevel, errorRows, hiddenHalves, indexOf, type Layout, layout, mostlyPairs, reveal, standsFor } from "./rows";
import { allowed, byName, decode, encode, rootServices } from "./svcfilter";
import { ERROR, hex, rowsOf, type Skeleton } from "./skeleton";
import type { LoadedTrace, Source, TraceEvent } from "./source";
import { subtree } from "./subtree";

export interface Zoom { from: number; to: number } // µs after the trace's start

export interface Filter { q: string; mode: "highlight" | "filter"; errors: boolean; path?: boolean; service: string; min: number }

/** From so many spans on, what can wait does not hold up the rows. */
const large = 10_000;

export class TraceModel {
  all: Skeleton;
  t: Skeleton; // what is shown: all, or the part below the root
  root = -1; // row of all, −1: all is shown
  before = 0; // µs from the start of all to that of what is shown
  etag: string;
  colors: string[];
  hops: boolean;
  similar = false;
  critical = config.criticalPath;
  adjusted = false;
  filter: Filter = { q: "", mode: "highlight", errors: false, service: "", min: 0 };
  columns: string[] = []; // keys of tags
  tags: string[]; // those that the trace was loaded with
  columnError = "";
  private hiddenOfAll: ReadonlySet<string> = new Set(); // services hidden in the whole trace
  collapsed: Uint8Array;
  openGroups = new Set<number>();
  openPlaces = new Set<number>();
  zoom: Zoom;
  selected = -1;
  private foundAll: ArrayLike<number> | null = null; // rows of all that the query found
  found: Uint32Array | null = null; // those that are shown
  foundBits: Uint8Array | null = null;
  findError = "";
  finding = false;
  layout!: Layout;
  hidden: Uint8Array | null = null;
  errorRows: number[];
  errorsShown: ArrayLike<number> = []; // those of them that are not left out
  version = 0;
  private path: Path | null = null;
  private later?: ReturnType<typeof setTimeout>;
  private listeners = new Set<() => void>();
  private find: AbortController | null = null;
  private fetching: AbortController | null = null;
  readonly details = new Details((ids, signal) => this.source.spans(this.t.id, ids, signal), () => this.changed());
  focusDetails = false; // the keyboard goes to them when they are there

  constructor(loaded: LoadedTrace, readonly source: Source = stored) {
    this.t = this.all = loaded.trace;
    this.etag = loaded.etag;
    this.tags = loaded.tags;
    this.colors = this.colorsOf();
    this.hops = mostlyPairs(this.t);
    this.collapsed = new Uint8Array(this.t.n);
    this.zoom = this.whole();
    this.errorRows = errorRows(this.t);
    this.relayout();
  }

  subscribe = (l: () => void) => (this.listeners.add(l), () => void this.listeners.delete(l));
  snapshot = () => this.version;

  whole = (): Zoom => ({ from: 0, to: Math.max(this.t.duration, 1) });

  /** Start of a span as shown: adjusted for clock skew if that is wanted. */
  from = (r: number) => this.t.from[r]! + (this.adjusted && this.t.shift ? this.t.shift[r]! : 0);

  get criticalPath(): Path {
    return (this.path ??= criticalPath(this.t, this.from));
  }

  /** The critical path; of a large trace only if it is known, else `then` is called when it is. */
  pathSoon(then: () => void): Path | null {
    if (this.path || this.t.n < large) return this.criticalPath;
    clearTimeout(this.later);
    this.later = setTimeout(() => (this.criticalPath, then()));
    return null;
  }

  changed() {
    this.version++;
    for (const l of this.listeners) l();
  }

  relayout() {
    this.hidden = hiddenHalves(this.t, this.hops);
    this.layout = layout(this.t, { hops: this.hops, similar: this.similar, collapsed: this.collapsed, openGroups: this.openGroups, openPlaces: this.openPlaces, keep: this.passing(), without: this.without() });
    this.errorsShown = this.among(this.errorRows);
  }

  /** Services that are hidden with all they called, by number; null if none is. */
  private without(): Uint8Array | null {
    const hidden = this.hiddenServices;
    return hidden.size ? Uint8Array.from(this.t.services, (s) => (hidden.has(s) ? 1 : 0)) : null;
  }

  /** Services of the part that is shown whose spans are hidden. What it begins with is not. */
  get hiddenServices(): Set<string> {
    return allowed(new Set(this.t.services.filter((s) => this.hiddenOfAll.has(s))), rootServices(this.t));
  }

  /** Hides these of the services that are shown here and no others, as far as something is left to begin with.
   *  Those that are elsewhere in the trace stay as they are. */
  hideServices(names: ReadonlySet<string>) {
    const here = new Set(this.t.services);
    this.hideOfAll(new Set([...[...this.hiddenOfAll].filter((s) => !here.has(s)), ...[...names].filter((s) => here.has(s))]));
  }

  private hideOfAll(names: ReadonlySet<string>) {
    this.hiddenOfAll = allowed(names, rootServices(this.all));
  }

  /** Jaeger's svcFilter for the address: it is of the whole trace, whatever part is shown. */
  get svcFilter(): string | null {
    return encode(byName(this.all.services), this.hiddenOfAll);
  }

  /** Takes over a svcFilter; false if it is of other services than these. */
  readSvcFilter(param: string): boolean {
    const hidden = decode(byName(this.all.services), param);
    if (hidden) this.hideOfAll(hidden);
    return hidden !== null;
  }

  /** Rows that the filter lets through; null if it is off. */
  private passing(): Uint8Array | null {
    const { t, filter: f } = this;
    const byQuery = f.q && f.mode === "filter" ? (this.foundBits ?? null) : null;
    if (!byQuery && !f.errors && !f.path && !f.service && !f.min) return null;
    const path = f.path ? this.criticalPath.of : null;
    const service = f.service ? t.services.indexOf(f.service) : -1;
    const pass = new Uint8Array(t.n);
    for (let r = 0; r < t.n; r++)
      pass[r] = (!byQuery || byQuery[r]) && (!f.errors || t.flags[r]! & ERROR) && (!path || path(r).length > 0) && (!f.service || t.service[r] === service) && t.took[r]! >= f.min ? 1 : 0;
    return pass;
  }

  /** Whether a row is one of those found; a folded half counts for its client. */
  matches(r: number): boolean {
    const bits = this.foundBits;
    if (!bits || !this.filter.q) return false;
    return !!bits[r] || (this.hidden !== null && this.t.pair !== null && this.t.pair[r]! >= 0 && !!this.hidden[this.t.pair[r]!] && !!bits[this.t.pair[r]!]);
  }

  set(change: () => void) {
    change();
    this.relayout();
    this.changed();
  }

  setZoom(from: number, to: number) {
    const all = this.whole().to;
    const least = Math.min(1, all);
    let a = Math.max(0, Math.min(from, to)), b = Math.min(all, Math.max(from, to));
    if (b - a < least) (a = Math.max(0, Math.min(a, all - least))), (b = a + least);
    this.zoom = { from: a, to: b };
    this.changed();
  }

  panZoom(pan: number, factor: number, center = 0.5) {
    const { from, to } = this.zoom;
    const width = Math.min((to - from) * factor, this.whole().to);
    const middle = from + (to - from) * center;
    let a = middle - width * center + pan * (to - from);
    a = Math.max(0, Math.min(a, this.whole().to - width));
    this.setZoom(a, a + width);
  }

  /** Selects a row, which is shown with its details; none if it is negative. */
  select(row: number) {
    if (row < 0) {
      this.selected = -1;
      this.details.drop();
      return this.changed();
    }
    const shown = standsFor(this.t, this.hidden, row);
    if (this.layout.rows[indexOf(this.layout, shown)] !== shown) {
      reveal(this.t, this.layout, this.collapsed, this.openGroups, shown, this.openPlaces);
      this.relayout();
    }
    this.selected = row;
    if (!this.askDetails()) this.changed();
  }

  /** The selected row and, if there is one, that of the other end of the call. */
  get halves(): number[] {
    const other = this.t.pair ? this.t.pair[this.selected]! : -1;
    return other >= 0 ? [this.selected, other] : [this.selected];
  }

  /** Asks for all about the selected span, or hears of it that it is there. */
  askDetails = () => this.details.ask([...new Set(this.halves.map((r) => hex(this.t.ids[r]!)))]);

  get selectedShown() {
    return this.selected < 0 ? -1 : standsFor(this.t, this.hidden, this.selected);
  }

  /** Those of the rows that neither a filter nor a hidden service leaves out. */
  among(rows: ArrayLike<number>): ArrayLike<number> {
    const { out } = this.layout;
    return out ? Array.from(rows).filter((r) => !out[r]) : rows;
  }

  /** Moves through rows in order: to the next or the one before the selected, round the ends.
   *  Those that are left out are passed over, unless all are: then they are shown. */
  step(all: ArrayLike<number>, direction: 1 | -1): boolean {
    const near = this.among(all);
    const rows = near.length ? near : all;
    if (!rows.length) return false;
    let i = 0;
    if (direction > 0) {
      while (i < rows.length && rows[i]! <= this.selected) i++;
      if (i === rows.length) i = 0;
    } else {
      i = rows.length - 1;
      while (i >= 0 && rows[i]! >= this.selected && this.selected >= 0) i--;
      if (i < 0) i = rows.length - 1;
    }
    this.select(rows[i]!);
    return true;
  }

  collapse(all: boolean) {
    this.set(() => collapseAll(this.t, this.collapsed, all));
  }
  collapseOne(on: boolean) {
    this.set(() => collapseLevel(this.t, this.layout, this.collapsed, on));
  }
  toggle(line: number) {
    const r = this.layout.rows[line];
    if (r === undefined) return;
    this.set(() => {
      if (r < 0) {
        const { first, hidden } = this.layout.groups[-1 - r]!;
        const [set, key] = hidden ? [this.openPlaces, hidden.parent] : [this.openGroups, first];
        set.has(key) ? set.delete(key) : set.add(key);
      } else this.collapsed[r] = this.collapsed[r] ? 0 : 1;
    });
  }

  /** Asks which rows meet the query. */
  async search(q: string) {
    this.find?.abort();
    this.filter = { ...this.filter, q };
    this.findError = "";
    if (!q.trim()) {
      this.finding = false;
      return this.set(() => this.note(null));
    }
    const abort = (this.find = new AbortController());
    this.finding = true;
    this.changed();
    try {
      const rows = await this.source.find(this.t.id, q, abort.signal);
      if (abort.signal.aborted) return;
      this.finding = false;
      this.set(() => this.note(rows));
    } catch (e) {
      if (abort.signal.aborted) return;
      this.finding = false;
      this.set(() => {
        this.note(null);
        this.findError = (e as Error).message;
      });
    }
  }

  /** Takes the trace with its late spans, keeping what is selected and folded. */
  update(loaded: LoadedTrace) {
    const old = this.t, root = this.all.views[this.root]; // none: the whole
    const rows = new Map<bigint, number>();
    for (let r = 0; r < loaded.trace.n; r++) rows.set(loaded.trace.views[r]!, r);
    const rowOf = (view: bigint) => rows.get(view) ?? -1;
    this.etag = loaded.etag;
    this.tags = loaded.tags;
    const wasWhole = this.zoom.from === 0 && this.zoom.to === this.whole().to;
    this.take(loaded.trace, root === undefined ? -1 : rowOf(root), (r) => rowOf(old.views[r]!), !wasWhole);
    if (this.filter.q) void this.search(this.filter.q);
  }

  /** Shows a span and what is below it as if that were the trace; −1: the whole again. */
  reroot(row: number) {
    const offset = this.offset;
    this.take(this.all, row < 0 ? -1 : row + offset, (r) => r + offset, false);
  }

  /** Takes a trace and which part of it is shown. `moved` finds the rows of what was shown in it. */
  private take(all: Skeleton, root: number, moved: (r: number) => number, keepZoom: boolean) {
    const old = this.t, folded = this.collapsed, selected = this.selected;
    this.all = all;
    this.root = root;
    const part = root < 0 ? { t: all, before: 0 } : subtree(all, root);
    this.t = part.t;
    this.before = part.before;
    const here = (r: number) => {
      const k = moved(r) - this.offset;
      return k >= 0 && k < this.t.n ? k : -1;
    };
    this.collapsed = new Uint8Array(this.t.n);
    for (let r = 0; r < old.n; r++) if (folded[r] && here(r) >= 0) this.collapsed[here(r)] = 1;
    this.selected = selected >= 0 ? here(selected) : -1;
    this.openGroups = new Set([...this.openGroups].map(here).filter((r) => r >= 0));
    this.openPlaces = new Set([...this.openPlaces].map((p) => (p < 0 ? p : (here(p) < 0 ? NaN : here(p)))).filter((p) => p === p));
    this.hideOfAll(this.hiddenOfAll); // what it begins with may have come late
    this.colors = this.colorsOf();
    this.errorRows = errorRows(this.t);
    this.path = null;
    this.note(this.foundAll);
    if (!keepZoom) this.zoom = this.whole();
    this.relayout();
    if (this.selected >= 0) this.askDetails(); // the other end of the call may have come
    this.changed();
  }

  /** Where the rows that are shown begin in those of the whole trace. */
  get offset() {
    return Math.max(0, this.root);
  }

  /** Colours are those of the whole trace, whatever part is shown. */
  private colorsOf(): string[] {
    const of = serviceColors(this.all.services);
    if (this.t === this.all) return of;
    const by = new Map(this.all.services.map((s, i) => [s, of[i]!]));
    return this.t.services.map((s) => by.get(s)!);
  }

  /** Takes which rows of the whole trace were found. */
  private note(rows: ArrayLike<number> | null) {
    this.foundAll = rows;
    this.found = this.foundBits = null;
    if (!rows) return;
    const { offset, t } = this;
    this.found = Uint32Array.from(rows).map((r) => r - offset).filter((r) => r < t.n); // those before wrap round
    this.foundBits = new Uint8Array(t.n);
    for (const r of this.found) this.foundBits[r] = 1;
  }

  /** The part that is shown of a skeleton like the whole one. */
  part = (all: Skeleton): Skeleton => (this.root < 0 ? all : subtree(all, this.root).t);

  /** The events of the part that is shown. */
  eventsOf = (all: TraceEvent[]): TraceEvent[] => (this.root < 0 ? all : all.filter((e) => e.row >= this.root && e.row < this.root + this.t.n).map((e) => ({ ...e, row: e.row - this.root, at: e.at - this.before })));

  /** Shows tags as columns. Those that the trace was not loaded with are asked for, with the rest of it. */
  async setColumns(keys: string[]) {
    this.fetching?.abort();
    this.columns = keys;
    this.columnError = "";
    this.changed();
    if (keys.every((k) => this.tags.includes(k))) return;
    const abort = (this.fetching = new AbortController());
    try {
      const loaded = await this.source.load(this.all.id, keys, abort.signal);
      if (!abort.signal.aborted) this.update(loaded);
    } catch (e) {
      if (abort.signal.aborted) return;
      this.columnError = (e as Error).message;
      this.changed();
    }
  }

  setAdjusted(on: boolean) {
    this.path = null;
    this.set(() => (this.adjusted = on));
  }

  spanID = (r: number) => hex(this.t.views[r]!);

  /** Selects spans by id; false if none is here. */
  selectID(id: string): boolean {
    const rows = rowsOf(this.t, id);
    const server = this.t.kinds.indexOf("server");
    const row = rows.find((r) => this.t.kind[r] === server) ?? rows[0];
    if (row !== undefined) this.select(row);
    return row !== undefined;
  }
}
