// The rows of the timeline: a fixed set of elements that is filled anew for
// whatever is in view, and one canvas for the bars. Made without React, because
// it is drawn on every frame of a scroll.
import { context } from "../kit";
import { duration, plural } from "../format";
import { explainFlags, splitFlags } from "../mesh";
import { token } from "../theme-colors";
import { make, put, short } from "./elements";
import type { TraceModel } from "./model";
import { type Group, indexOf } from "./rows";
import { rowText, serverOf, tagText } from "./names";
import { ERROR, EVENTS, ORPHAN } from "./skeleton";

export const rowHeight = 26;
// Browsers give up on elements higher than about 17 million pixels (Firefox) or
// 33 (Chromium); beyond this the scroll bar stands for more than it measures.
const tallest = 8_000_000;
const deepest = 16;

interface RowElement {
  line: number; // what it shows, −1 if that is out of date
  el: HTMLElement; name: HTMLElement; tree: HTMLElement; toggle: HTMLElement; depth: HTMLElement; swatch: HTMLElement; mark: HTMLElement; who: HTMLElement; to: HTMLElement; what: HTMLElement;
  chips: HTMLElement; columns: HTMLElement[]; bar: HTMLElement; label: HTMLElement; took: HTMLElement; where: HTMLElement;
}

export class Grid {
  readonly el = make("div", "grid");
  private stage = make("div", "stage", this.el); // stays in place while the rest scrolls: no frame is blank
  private tall = make("div", "tall", this.el);
  private canvas = make("canvas", "bars", this.stage) as HTMLCanvasElement;
  private lines = make("div", "lines", this.stage); // moved as one: rows keep their places in it
  private pool: RowElement[] = [];
  private frame = 0;
  private width = 0;
  private height = 0;
  private nameWidth = 400;
  private columns: string[] = [];
  private columnWidth = 0;
  private first = 0;
  private at = 0; // scrollTop, which is a layout to read while the page changes
  private chipWidths = new Map<string, number>();
  private unmeasured: RowElement[] = []; // rows whose chips have a width that is not known
  cursor = 0; // the line that has the keyboard
  private watch: ResizeObserver;

  constructor(private model: TraceModel) {
    const e = this.el;
    e.tabIndex = 0;
    e.setAttribute("role", "treegrid");
    e.setAttribute("aria-label", "Spans");
    e.setAttribute("aria-colcount", "2");
    this.canvas.setAttribute("aria-hidden", "true");
    this.tall.setAttribute("aria-hidden", "true");
    this.stage.setAttribute("role", "presentation");
    this.lines.setAttribute("role", "rowgroup");
    e.addEventListener("scroll", () => ((this.at = e.scrollTop), this.schedule()), { passive: true });
    e.addEventListener("click", (x) => this.click(x));
    e.addEventListener("keydown", (x) => this.key(x));
    e.addEventListener("wheel", (x) => this.wheel(x), { passive: false });
    e.addEventListener("focus", () => this.draw());
    e.addEventListener("blur", () => this.draw());
    this.watch = new ResizeObserver(() => this.measure() && this.draw());
    this.watch.observe(e);
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    this.watch.disconnect();
    this.el.remove();
  }

  /** Width of the column of names, in pixels. */
  setNameWidth(px: number) {
    this.nameWidth = px;
    this.el.style.setProperty("--names", `${px}px`);
    this.el.style.setProperty("--step", `${this.step}px`);
    this.el.style.setProperty("--bars", `${this.barsLeft}px`);
    this.draw();
  }

  /** Tags in columns between the names and the bars, all of one width in pixels. */
  setColumns(keys: string[], width: number) {
    this.columns = keys;
    this.columnWidth = width;
    this.el.style.setProperty("--bars", `${this.barsLeft}px`);
    this.el.style.setProperty("--column", `${width}px`);
    this.el.setAttribute("aria-colcount", String(2 + keys.length));
    for (const row of this.pool) this.makeColumns(row);
    this.draw();
  }

  /** How far a level is set in. */
  private get step() {
    return this.nameWidth < 260 ? 8 : 14;
  }

  private get barsLeft() {
    return this.nameWidth + this.columns.length * this.columnWidth;
  }

  private makeColumns(row: RowElement) {
    for (const c of row.columns) c.remove();
    row.columns = this.columns.map((_, i) => {
      const cell = document.createElement("div");
      cell.className = "column";
      cell.setAttribute("role", "gridcell");
      cell.style.left = `calc(var(--names, 400px) + ${i} * var(--column))`;
      row.bar.before(cell);
      return cell;
    });
  }

  /** Takes its size from the layout, and says whether that is another than it was. */
  measure(): boolean {
    const { clientWidth: width, clientHeight: height } = this.el, first = !this.height;
    if (width === this.width && height === this.height) return false;
    this.width = width;
    this.height = height;
    this.chipWidths.clear(); // a narrow page leaves some out
    this.stage.style.height = `${height}px`;
    if (first) this.showSelected(); // without a height there was no telling what is in view
    return true;
  }

  schedule() {
    this.frame ||= requestAnimationFrame(() => this.draw(false));
  }

  private get total() {
    return this.model.layout.rows.length * rowHeight;
  }
  private get tallness() {
    return Math.min(this.total, tallest);
  }
  /** Pixels of the rows for one of the scroll bar. */
  private get scale() {
    const room = this.tallness - this.height;
    return this.total > tallest && room > 0 ? (this.total - this.height) / room : 1;
  }

  private stretch() {
    const h = `${Math.max(0, this.tallness - this.height)}px`;
    if (this.tall.style.height !== h) this.tall.style.height = h;
  }

  scrollToLine(i: number) {
    const top = i * rowHeight, now = this.at * this.scale;
    if (top < now + rowHeight) this.scrollTo(Math.max(0, top - this.height / 3) / this.scale);
    else if (top + rowHeight * 2 > now + this.height) this.scrollTo((top - (this.height * 2) / 3) / this.scale);
  }

  scrollBy(px: number) {
    this.scrollTo(this.at + px / this.scale);
  }

  private scrollTo(px: number) {
    this.el.scrollTop = px;
    this.at = this.el.scrollTop; // as far as there is room
  }

  showSelected() {
    const r = this.model.selectedShown;
    if (r < 0 || !this.height) return;
    this.stretch();
    this.cursor = indexOf(this.model.layout, r);
    this.scrollToLine(this.cursor);
  }

  /** Draws what is in view. If nothing but the place has changed since, rows that stay in view are not filled again. */
  draw(anew = true) {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.height) return;
    const { rows } = this.model.layout;
    this.stretch();
    this.cursor = Math.max(0, Math.min(this.cursor, rows.length - 1));
    this.at = Math.max(0, Math.min(this.at, this.tallness - this.height)); // as the browser does when there are fewer rows
    const top = this.at * this.scale;
    this.first = Math.max(0, Math.min(Math.floor(top / rowHeight), rows.length - 1));
    const n = Math.min(rows.length - this.first, Math.ceil(this.height / rowHeight) + 1);
    while (this.pool.length < n) this.pool.push(this.makeRow());
    const offset = this.first * rowHeight - top;
    if (!anew) this.turn();
    this.lines.style.transform = `translateY(${offset}px)`;
    for (let k = 0; k < this.pool.length; k++) {
      const row = this.pool[k]!, line = k < n ? this.first + k : -1;
      if (row.el.hidden !== line < 0) row.el.hidden = line < 0;
      if (line >= 0 && (anew || row.line !== line)) this.fill(row, line);
      row.line = line;
    }
    this.measureChips();
    this.el.setAttribute("aria-rowcount", String(rows.length));
    const active = this.cursor >= this.first && this.cursor < this.first + n;
    if (active) this.el.setAttribute("aria-activedescendant", `line-${this.cursor}`);
    else this.el.removeAttribute("aria-activedescendant");
    this.paint(offset, n);
  }

  /** After a short scroll, brings the rows that have left the view round to the other end. */
  private turn() {
    const by = this.first - this.pool[0]!.line;
    if (this.pool[0]!.line < 0 || Math.abs(by) >= this.pool.length) return;
    for (let i = 0; i < by; i++) this.pool.push(this.pool.shift()!), this.lines.append(this.pool.at(-1)!.el);
    for (let i = 0; i > by; i--) this.pool.unshift(this.pool.pop()!), this.lines.prepend(this.pool[0]!.el);
  }

  private makeRow(): RowElement {
    const el = make("div", "row", this.lines);
    el.setAttribute("role", "row");
    const name = make("div", "name", el);
    name.setAttribute("role", "gridcell");
    const tree = make("span", "tree", name);
    const depth = make("span", "deep", name);
    const toggle = make("span", "toggle", name);
    const swatch = make("span", "swatch", name);
    const mark = make("span", "mark", name);
    const who = make("bdi", "who", name);
    const to = make("bdi", "to", name);
    const what = make("bdi", "what", name);
    const chips = make("span", "chips", name);
    const bar = make("div", "bar", el);
    bar.setAttribute("role", "gridcell");
    const label = make("span", "label", bar);
    const took = make("span", "took", label);
    const where = make("bdi", "where", label);
    const row: RowElement = { line: -1, el, name, tree, depth, toggle, swatch, mark, who, to, what, chips, columns: [], bar, label, took, where };
    this.makeColumns(row);
    return row;
  }

  private fill(e: RowElement, line: number) {
    const m = this.model, { t, layout: l } = m;
    const at = l.rows[line]!;
    const group = at < 0 ? l.groups[-1 - at]! : null;
    const r = group ? group.first : at;
    const hops = m.hops && serverOf(t, r) >= 0;
    const level = l.level[r]!;
    e.el.id = `line-${line}`;
    const opens = group !== null || t.size[r]! > (hops ? 2 : 1); // the server's half is not a row of its own
    const open = group?.hidden ? m.openPlaces.has(group.hidden.parent) : group ? m.openGroups.has(group.first) : !m.collapsed[r];
    const wrong = group ? group.errors > 0 && !group.hidden : !!(t.flags[r]! & ERROR) || (hops && !!(t.flags[serverOf(t, r)]! & ERROR));
    e.el.setAttribute("aria-level", String(level + 1));
    e.el.setAttribute("aria-rowindex", String(line + 1));
    if (opens) e.el.setAttribute("aria-expanded", String(open));
    else e.el.removeAttribute("aria-expanded");
    e.el.setAttribute("aria-selected", String(!group && r === m.selectedShown));
    const classes = ["row"];
    if (line % 2) classes.push("odd");
    if (!group && r === m.selectedShown) classes.push("selected");
    if (line === this.cursor) classes.push("cursor");
    if (wrong) classes.push("wrong");
    if (group?.hidden) classes.push("left-out");
    else if (m.filter.q && m.foundBits) classes.push(m.matches(r) ? "match" : "faint");
    e.el.className = classes.join(" ");
    const stem = Math.min(level, deepest) * this.step;
    e.tree.style.width = `${stem}px`;
    put(e.depth, level > deepest ? String(level) : "");
    e.toggle.className = opens ? (open ? "toggle open" : "toggle shut") : "toggle";
    if (group?.hidden) return this.fillLeftOut(e, group, stem);
    e.swatch.style.background = m.colors[t.service[r]!]!;
    const failedBelow = !wrong && opens && !open && this.errorsBelow(r);
    put(e.mark, wrong ? "▲" : failedBelow ? "△" : "");
    e.mark.title = wrong ? "error" : failedBelow ? "errors below" : "";
    const x = rowText(t, r);
    put(e.who, short(x.who));
    put(e.to, x.to ? " → " + short(x.to) : "");
    put(e.what, " " + (group ? `×${group.rows.length} ` : "") + (t.flags[r]! & ORPHAN && t.parent[r]! < 0 ? "⋯ " : "") + x.what.slice(0, 300));
    const title = (group ? `${group.rows.length} similar spans\n` : "") + x.full.slice(0, 1000) + (x.flags ? "\n" + explainFlags(x.flags) : "") + (t.flags[r]! & ORPHAN ? "\nIts parent is not stored." : "");
    if (e.name.title !== title) e.name.title = title;
    e.name.style.paddingLeft = `${stem + 6}px`;
    const width = this.chips(e.chips, x.status, x.flags);
    if (width === undefined) this.unmeasured.push(e);
    else e.name.style.paddingRight = `${width + 12}px`;
    this.columns.forEach((key, i) => {
      const cell = e.columns[i]!;
      let value = tagText(t, key, r);
      if (group?.rows.slice(0, 500).some((x) => tagText(t, key, x) !== value)) value = "…";
      put(cell, value.slice(0, 200));
      const full = value && `${key}=${value.slice(0, 1000)}`;
      if (cell.title !== full) cell.title = full;
    });
    const from = m.from(r), took = t.took[r]!;
    put(e.took, group ? `${duration(group.took)} in all` : duration(took));
    // the label stands where there is room: after the bar, before it, or in it
    const { from: z0, to: z1 } = m.zoom;
    const w = Math.max(1, this.width - this.barsLeft);
    const where = group || w < 260 ? "" : x.where.slice(0, 120);
    put(e.where, where);
    const a = ((from - z0) / (z1 - z0)) * w, b = ((from + took - z0) / (z1 - z0)) * w;
    const need = Math.min(w, (e.took.textContent!.length + (where ? Math.min(where.length, 40) + 2 : 0)) * 6.4 + 14);
    const left = b + need <= w ? b : a - need >= 0 ? a - need : Math.max(0, Math.min(w - need, a));
    e.label.style.left = `${Math.round(left + 5)}px`;
    e.label.className = left < b && left + need > a ? "label inside" : "label"; // over its bar it has a ground
  }

  /** Shows status and flags; says how wide they are, if that is known. */
  private chips(box: HTMLElement, status: string, flags: string): number | undefined {
    const key = `${status}|${flags}`;
    if (box.dataset.key !== key) {
      box.dataset.key = key;
      box.textContent = "";
      for (const f of splitFlags(flags)) {
        const c = make("span", "chip flag", box);
        c.textContent = f;
        c.title = explainFlags(f);
      }
      if (status) {
        const n = Number(status);
        const bad = status.startsWith("grpc") ? status !== "grpc 0" : n >= 500 || n === 0;
        make("span", `chip status ${bad ? "bad" : n >= 400 ? "warn" : "ok"}`, box).textContent = status;
      }
    }
    return this.chipWidths.get(key);
  }

  /** Makes room for chips that are new: one layout for all of them. */
  private measureChips() {
    for (const e of this.unmeasured) this.chipWidths.set(e.chips.dataset.key!, e.chips.offsetWidth);
    for (const e of this.unmeasured.splice(0)) e.name.style.paddingRight = `${this.chipWidths.get(e.chips.dataset.key!)! + 12}px`;
  }

  private errorsBelow(r: number): boolean {
    const rows = this.model.errorRows, end = r + this.model.t.size[r]!;
    let lo = 0, hi = rows.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (rows[mid]! <= r) lo = mid + 1;
      else hi = mid;
    }
    return lo < rows.length && rows[lo]! < end;
  }

  /** The rest of the row of spans that are left out below one parent. */
  private fillLeftOut(e: RowElement, g: Group, stem: number) {
    const errors = g.errors ? `, ${plural(g.errors, "error")}` : "";
    put(e.mark, g.errors ? "△" : "");
    e.mark.title = g.errors ? "errors among them" : "";
    e.swatch.style.background = "transparent";
    put(e.who, "");
    put(e.to, "");
    put(e.what, `${plural(g.hidden!.spans, "span")} hidden${errors}`);
    e.name.title = "Left out by a filter or with a hidden service. Click to show them here all the same.";
    this.chips(e.chips, "", "");
    e.name.style.paddingLeft = `${stem + 6}px`;
    e.name.style.paddingRight = "12px";
    for (const c of e.columns) put(c, ""), (c.title = "");
    put(e.took, "");
    put(e.where, "");
  }

  private paint(offset: number, n: number) {
    const m = this.model, { t, layout: l } = m;
    const w = Math.max(1, this.width - this.barsLeft), h = this.height;
    this.canvas.style.transform = `translateX(${this.barsLeft}px)`;
    const g = context(this.canvas, w, h);
    const { from: z0, to: z1 } = m.zoom;
    const X = (us: number) => ((us - z0) / (z1 - z0)) * w;
    const odd = token("--odd"), marked = token("--warn-bg"), chosen = token("--selected");
    for (let k = 0; k < n; k++) {
      const at = l.rows[this.first + k]!;
      const paint = at >= 0 && at === m.selectedShown ? chosen : at >= 0 && m.matches(at) ? marked : (this.first + k) % 2 ? odd : "";
      if (!paint) continue;
      g.fillStyle = paint;
      g.fillRect(0, offset + k * rowHeight, w, rowHeight);
    }
    g.strokeStyle = token("--line");
    g.beginPath();
    for (let i = 1; i < 5; i++) {
      const x = Math.round((i / 5) * w) + 0.5;
      g.moveTo(x, 0);
      g.lineTo(x, h);
    }
    g.stroke();
    const errorColor = token("--error"), pathColor = token("--path"), ink = token("--ink");
    const path = m.critical ? m.pathSoon(() => this.draw()) : null;
    const bar = (from: number, took: number, y: number, height: number, color: string, alpha = 1) => {
      const a = Math.max(-2, X(from)), b = Math.min(w + 2, X(from + took));
      if (b < 0 || a > w) return;
      g.globalAlpha = alpha;
      g.fillStyle = color;
      g.fillRect(a, y, Math.max(2, b - a), height);
      g.globalAlpha = 1;
    };
    for (let k = 0; k < n; k++) {
      const at = l.rows[this.first + k]!;
      const y = offset + k * rowHeight;
      const group = at < 0 ? l.groups[-1 - at]! : null;
      const r = group ? group.first : at;
      const faint = m.filter.q && m.foundBits && !m.matches(r) ? 0.35 : 1;
      const color = m.colors[t.service[r]!]!;
      if (group) {
        for (let i = 0, step = Math.max(1, Math.floor(group.rows.length / 500)); i < group.rows.length; i += step) bar(m.from(group.rows[i]!), t.took[group.rows[i]!]!, y + 8, 10, color, 0.55);
        continue;
      }
      const server = m.hops ? serverOf(t, r) : -1;
      bar(m.from(r), t.took[r]!, y + 6, 14, color, (server >= 0 ? 0.45 : 0.9) * faint);
      if (server >= 0) bar(m.from(server), t.took[server]!, y + 6, 14, m.colors[t.service[server]!]!, 0.95 * faint);
      if (t.flags[r]! & ERROR || (server >= 0 && t.flags[server]! & ERROR)) {
        const a = Math.max(0, X(m.from(r))), b = Math.min(w, Math.max(X(m.from(r) + t.took[r]!), X(m.from(r)) + 3));
        g.strokeStyle = errorColor; // a frame and hatching: colour is not the only sign
        g.lineWidth = 1.5;
        g.strokeRect(a + 0.75, y + 6.75, Math.max(1.5, b - a - 1.5), 12.5);
        g.lineWidth = 1;
        g.save();
        g.beginPath();
        g.rect(a, y + 6, Math.max(0, b - a), 14);
        g.clip();
        g.beginPath();
        for (let x = a - 14; x < b; x += 7) (g.moveTo(x, y + 20), g.lineTo(x + 14, y + 6));
        g.stroke();
        g.restore();
      }
      if (path) {
        for (const row of server >= 0 ? [r, server] : [r])
          for (const i of path.of(row)) {
            const a = Math.max(0, X(path.from[i]!)), b = Math.min(w, X(path.to[i]!));
            if (b < 0 || a > w) continue;
            g.fillStyle = pathColor;
            g.fillRect(a, y + 20, Math.max(1, b - a), 3);
          }
      }
      if (t.flags[r]! & EVENTS) {
        g.fillStyle = ink;
        g.fillRect(Math.min(w - 2, Math.max(0, X(m.from(r)))), y + 4, 2, 3);
      }
    }
  }

  /** The line at a place on the page. */
  private lineAt(clientY: number): number {
    const y = clientY - this.el.getBoundingClientRect().top + this.at * this.scale;
    return Math.floor(y / rowHeight);
  }

  private click(e: MouseEvent) {
    const line = this.lineAt(e.clientY);
    if (line < 0 || line >= this.model.layout.rows.length) return;
    this.cursor = line;
    const at = this.model.layout.rows[line]!;
    if ((e.target as Element).closest(".toggle.open, .toggle.shut") || at < 0) return this.model.toggle(line);
    this.model.select(this.model.selectedShown === at ? -1 : at);
  }

  private wheel(e: WheelEvent) {
    if (!e.ctrlKey) return;
    e.preventDefault();
    const x = e.clientX - this.el.getBoundingClientRect().left - this.barsLeft;
    this.model.panZoom(0, e.deltaY > 0 ? 1.25 : 0.8, Math.max(0, Math.min(1, x / (this.width - this.barsLeft))));
  }

  private moveTo(line: number) {
    this.cursor = Math.max(0, Math.min(line, this.model.layout.rows.length - 1));
    this.scrollToLine(this.cursor);
    const at = this.model.layout.rows[this.cursor]!;
    if (this.model.selected >= 0 && at >= 0) this.model.select(at); // details follow while they are open
    this.draw();
  }

  private key(e: KeyboardEvent) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.shiftKey) return;
    const m = this.model, l = m.layout, at = l.rows[this.cursor];
    if (at === undefined) return;
    const page = Math.max(1, Math.floor(this.height / rowHeight) - 1);
    const expanded = this.el.querySelector(`#line-${this.cursor}`)?.getAttribute("aria-expanded");
    const keys: Record<string, () => void> = {
      ArrowDown: () => this.moveTo(this.cursor + 1),
      ArrowUp: () => this.moveTo(this.cursor - 1),
      j: () => this.moveTo(this.cursor + 1),
      k: () => this.moveTo(this.cursor - 1),
      PageDown: () => this.moveTo(this.cursor + page),
      PageUp: () => this.moveTo(this.cursor - page),
      Home: () => this.moveTo(0),
      End: () => this.moveTo(l.rows.length - 1),
      ArrowRight: () => (expanded === "false" ? m.toggle(this.cursor) : expanded === "true" && this.moveTo(this.cursor + 1)),
      ArrowLeft: () => {
        if (expanded === "true") return m.toggle(this.cursor);
        const level = l.level[at < 0 ? l.groups[-1 - at]!.first : at]!;
        let up = this.cursor - 1;
        while (up > 0 && (l.rows[up]! < 0 || l.level[l.rows[up]!]! >= level)) up--;
        this.moveTo(Math.max(0, up));
      },
      Enter: () => (at < 0 ? m.toggle(this.cursor) : ((m.focusDetails = true), m.select(at))),
      " ": () => (at < 0 ? m.toggle(this.cursor) : m.select(m.selectedShown === at ? -1 : at)),
    };
    const act = keys[e.key];
    if (!act) return;
    e.preventDefault();
    e.stopPropagation();
    act();
  }
}
