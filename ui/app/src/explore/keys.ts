// The keys of the list of traces. What is here is what works and what the help
// lists.
import { useLayoutEffect } from "react";

export type ExploreAction = "down" | "up" | "choose" | "compare" | "scatter" | "heat" | "hist" | "older" | "newer" | "refresh" | "live";

export const exploreKeys: Record<ExploreAction, { keys: string[]; what: string }> = {
  down: { keys: ["j", "ArrowDown"], what: "next trace" },
  up: { keys: ["k", "ArrowUp"], what: "previous trace" },
  choose: { keys: ["x"], what: "choose the trace" },
  compare: { keys: ["c"], what: "compare the chosen" },
  scatter: { keys: ["1"], what: "scatter" },
  heat: { keys: ["2"], what: "heat map" },
  hist: { keys: ["3"], what: "histogram" },
  older: { keys: ["["], what: "older window" },
  newer: { keys: ["]"], what: "newer window" },
  refresh: { keys: ["r"], what: "search again" },
  live: { keys: ["l"], what: "live on, off" },
};

const shown = (key: string) => ({ ArrowDown: "↓", ArrowUp: "↑" })[key] ?? key;

/** Lines for the help: keys and what they do. Enter is the link's own. */
export const exploreHelp: [string, string][] = [
  ...Object.values(exploreKeys).map(({ keys, what }): [string, string] => [keys.map(shown).join(" "), what]),
  ["Enter · Shift Enter", "open the trace · in a new window"],
];

export function actionOf(key: string): ExploreAction | undefined {
  return (Object.keys(exploreKeys) as ExploreAction[]).find((a) => exploreKeys[a].keys.includes(key));
}

/** Whether an element has a use of its own for such keys. */
const busy = (e: Element | null) => !!e?.closest("[role=tab], [role=separator], [role=listbox], .menu, summary, select, textarea, input:not([type=checkbox])") || !!document.querySelector("dialog[open]");

export function useExploreKeys(act: (a: ExploreAction) => void) {
  useLayoutEffect(() => { // the next key may come before the next frame
    const press = (e: KeyboardEvent) => {
      if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || busy(e.target as Element)) return;
      const action = actionOf(e.key);
      if (action) (e.preventDefault(), act(action));
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  });
}
