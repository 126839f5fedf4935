// The frame around every view: navigation, a field that takes any trace id,
// time zone and theme. Views are loaded when they are first asked for.
import { Component, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";
import { config, type MenuGroup, type MenuItem } from "./config";
import { exploreHelp } from "./explore/keys";
import { findTraceID } from "./ids";
import { Icon, Link, Menu } from "./kit";
import { later } from "./later";
import { setPref, setTheme, type Theme, usePref, useZone } from "./prefs";
import { moved } from "./moved";
import { go, href, usePlace } from "./router";

const Explore = later(() => import("./explore"));
const Trace = later(() => import("./trace"));
const Status = later(() => import("./status"));
const Services = later(() => import("./services"));
const ServiceMap = later(() => import("./map"));
const Errors = later(() => import("./errors"));
const Mesh = later(() => import("./mesh-view"));
const Compare = later(() => import("./compare"));
const Files = later(() => import("./local/view"));

/** Loads the view of a path before it is shown. */
export function preload(path: string): Promise<unknown> {
  const view = path.startsWith("trace/") ? (path.includes("...") ? Compare : Trace) : path === "search" ? Explore : null;
  return view?.preload().catch(() => {}) ?? Promise.resolve(); // showing it tries again
}

interface View { path: string; title: string; key: string; view: ReactNode }

const views: View[] = [
  { path: "search", title: "Explore", key: "e", view: <Explore /> },
  { path: "monitor", title: "Services", key: "s", view: <Services /> },
  { path: "dependencies", title: "Map", key: "m", view: <ServiceMap /> },
  { path: "errors", title: "Errors", key: "r", view: <Errors /> },
  { path: "mesh", title: "Mesh", key: "h", view: <Mesh /> },
  { path: "status", title: "Status", key: "i", view: <Status /> },
];
/** Those that the operator wants in the menu; the others open by their address. */
const listed = views.filter((v) => (v.path !== "dependencies" || config.map) && (v.path !== "monitor" || config.services));

export function App() {
  const { path, query } = usePlace();
  const [help, setHelp] = useState(false);
  const to = moved(path, query);
  useEffect(() => {
    if (to !== null) go(to, true);
  }, [to]);
  useLayoutEffect(() => { // keys work as soon as there is something to see
    let afterG = -Infinity;
    const press = (e: KeyboardEvent) => {
      if (typingIn(e.target) || e.defaultPrevented) return;
      if ((e.ctrlKey || e.metaKey) && e.key === "k") {
        e.preventDefault();
        document.getElementById("omnibox")?.focus();
      }
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      if (e.key === "?") setHelp(true);
      else if (e.key === "/") {
        const field = document.querySelector<HTMLInputElement>("[data-find] input, .query-bar input");
        if (field) (e.preventDefault(), field.focus());
      } else if (e.key === "g") afterG = performance.now();
      else if (performance.now() - afterG < 1200) {
        afterG = -Infinity;
        const view = listed.find((v) => v.key === e.key);
        if (view) (e.preventDefault(), e.stopImmediatePropagation(), go(view.path));
      }
    };
    window.addEventListener("keydown", press, true);
    return () => window.removeEventListener("keydown", press, true);
  }, []);
  useDrop();
  if (to !== null) return null;
  const file = /^upload(?:\/(.+))?$/.exec(path);
  const trace = /^trace\/(.+)$/.exec(path);
  const view = views.find((v) => v.path === path);
  const embedded = query.get("uiEmbed") === "v0";
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      {embedded ? null : <Header />}
      <main id="main" tabIndex={-1} className={embedded ? "embedded" : ""}>
        <Boundary key={path}>
          {file && !config.upload ? <NoFiles /> : file ? <Files id={file[1] ? decodeURIComponent(file[1]) : ""} /> : trace ? trace[1]!.includes("...") ? <Compare key={trace[1]} pair={trace[1]!} /> : <Trace key={trace[1]} id={decodeURIComponent(trace[1]!)} /> : (view?.view ?? <NotFound path={path} />)}
        </Boundary>
      </main>
      {help && <Help onClose={() => setHelp(false)} />}
    </>
  );
}

/** Files that are dropped anywhere on the page are opened, unless that is switched off. */
function useDrop() {
  useEffect(() => {
    if (!config.upload) return;
    const has = (e: DragEvent) => !!e.dataTransfer?.types.includes("Files");
    const over = (e: DragEvent) => {
      if (!has(e)) return;
      e.preventDefault();
      document.body.classList.add("dropping");
    };
    const leave = (e: DragEvent) => !e.relatedTarget && document.body.classList.remove("dropping");
    const drop = (e: DragEvent) => {
      document.body.classList.remove("dropping");
      if (!has(e)) return;
      e.preventDefault();
      void openFiles([...e.dataTransfer!.files]);
    };
    window.addEventListener("dragover", over);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => (window.removeEventListener("dragover", over), window.removeEventListener("dragleave", leave), window.removeEventListener("drop", drop));
  }, []);
}

/** Shows the files' traces; what reads them is loaded now. */
export async function openFiles(files: File[]) {
  go("upload");
  const { open } = await import("./local/source");
  const opened = await open(files);
  if (opened.length === 1 && location.pathname === href("upload")) go(`upload/${opened[0]}`);
}

/** Whether a key belongs to a field that has the focus. */
export const typingIn = (t: EventTarget | null) => t instanceof HTMLElement && (t.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(t.tagName)) && !(t instanceof HTMLInputElement && /^(checkbox|radio|button|range)$/.test(t.type));

function Header() {
  const { path } = usePlace();
  const zone = useZone();
  const theme = usePref("theme", "auto") as Theme;
  return (
    <header className="top">
      <Link to="search" className="brand">
        <img src="icon.svg" alt="" width="22" height="22" />
        <span>Spandrel</span>
      </Link>
      <nav aria-label="Views">
        {listed.map((v) => (
          <Link key={v.path} to={v.path} className={path === v.path || (v.path === "search" && /^(trace\/|upload)/.test(path)) ? "here" : ""}>
            {v.title}
          </Link>
        ))}
      </nav>
      <span className="grow" />
      <Omnibox />
      {config.menu.map((m, i) => (
        <MenuEntry key={i} entry={m} />
      ))}
      <button type="button" className="quiet" title="Show times in UTC or local time" onClick={() => setPref("tz", zone === "utc" ? "local" : "utc")}>
        {zone === "utc" ? "UTC" : "Local"}
      </button>
      {config.themeButton && <ThemeButton theme={theme} />}
    </header>
  );
}

/** What the operator has put into the menu: a link, or several under one name. */
function MenuEntry({ entry }: { entry: MenuItem | MenuGroup }) {
  if (!("items" in entry))
    return entry.url ? (
      <a className="button quiet" href={entry.url} target={entry.target} rel="noopener noreferrer">
        {entry.label}
      </a>
    ) : (
      <span className="dim">{entry.label}</span>
    );
  return (
    <Menu label={entry.label}>{() => entry.items.map((m, i) => <MenuEntry key={i} entry={m} />)}</Menu>
  );
}

function ThemeButton({ theme }: { theme: Theme }) {
  const dark = theme === "dark" || (theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  return (
    <button type="button" className="quiet" aria-label={dark ? "Use the light theme" : "Use the dark theme"} title="Theme" onClick={() => setTheme(dark ? "light" : "dark")}>
      <Icon name={dark ? "sun" : "moon"} />
    </button>
  );
}

function Omnibox() {
  const [value, set] = useState("");
  const [wrong, setWrong] = useState(false);
  return (
    <form
      className="omnibox"
      role="search"
      onSubmit={(e) => {
        e.preventDefault();
        const id = findTraceID(value);
        setWrong(!id);
        if (id) (set(""), go("trace/" + id));
      }}
    >
      <input id="omnibox" value={value} aria-label="Trace id" aria-invalid={wrong || undefined} aria-describedby={wrong ? "omnibox-wrong" : undefined} placeholder="Trace id, traceparent, link…" spellCheck={false} autoComplete="off" onChange={(e) => (set(e.target.value), setWrong(false))} />
      {wrong && (
        <span id="omnibox-wrong" className="wrong pop" role="alert">
          There is no trace id in this.
        </span>
      )}
    </form>
  );
}

function NotFound({ path }: { path: string }) {
  return (
    <div className="nothing">
      <h1>No such page</h1>
      <p>
        There is nothing at <code>{path.slice(0, 200)}</code>. <Link to="search">Explore traces</Link>
      </p>
    </div>
  );
}

function NoFiles() {
  useEffect(() => void (document.title = "Files – Spandrel"), []);
  return (
    <div className="nothing">
      <h1>Opening files is switched off</h1>
      <p>
        The settings of this page say so (<code>disableFileUploadControl</code>). <Link to="search">Explore traces</Link>
      </p>
    </div>
  );
}

const keys: Record<string, [string, string][]> = {
  "": [["/", "find"], ["Ctrl K", "go to the trace id field"], [listed.map((v) => "g " + v.key).join(" · "), listed.map((v) => v.title).join(" · ")], ["?", "this list"]],
  "In the list of traces": exploreHelp,
  "In a trace": [["e · Shift E", "next · previous error"], ["n · Shift N, f · b", "next · previous match"], ["h", "fold pairs of proxies into hops"], ["m", "fold similar siblings"], ["c · Shift C", "critical path · only it"], ["i", "next span on it"],
  ["s · w", "scroll down · up"], ["a d, ← →", "pan (with Shift: far)"], ["↑ ↓", "zoom in · out (with Shift: far)"], ["0", "whole trace"], ["z", "zoom to the selected span"], ["r · Shift R", "show the selected span as the root · the whole trace"],
  ["] · [", "collapse · expand all"], ["p · o", "collapse · expand one level"], ["Ctrl B", "find"], ["Esc", "clear, close"], ["v, then 1…6", "timeline, flame graph, graph, statistics, spans, logs"],
  ["y · Shift Y", "copy a link to the span · the trace id"]],
  "In the tree": [["↑ ↓ j k Home End PgUp PgDn", "move between rows"], ["→ ←", "expand, collapse, to the parent"], ["Enter", "details"]],
};

function Help({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-label="Keyboard" onClose={onClose}>
      <h2>Keyboard</h2>
      <div className="keys">
        {Object.entries(keys).map(([where, list]) => (
          <section key={where}>
            {where && <h3>{where}</h3>}
            <dl>
              {list.map(([k, what]) => (
                <div key={k}>
                  <dt>
                    <kbd>{k}</kbd>
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <form method="dialog">
        <button>Close</button>
      </form>
    </dialog>
  );
}

/** Shows what went wrong in a view instead of an empty page. */
class Boundary extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {};
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <div className="nothing" role="alert">
        <h1>This view has failed</h1>
        <p>{this.state.error.message}</p>
        <button type="button" onClick={() => location.reload()}>
          Load the page again
        </button>
      </div>
    );
  }
}
