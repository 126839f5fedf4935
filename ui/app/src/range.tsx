// The range of time of the pages that show aggregates: in the address, as of
// a search.
import { useMemo } from "react";
import { lookbackChoices, lookbackLabel, readSearch } from "./explore/state";
import { Time } from "./kit";
import { setParams, usePlace } from "./router";

export interface Range { query: string; label: string; lookback: string; search: string }

/** The range in the address. A look-back is left to the server's clock. */
export function useRange(fallback = "1h"): Range {
  const { query } = usePlace();
  const key = `${query.get("start")},${query.get("end")},${query.get("lookback")}`;
  return useMemo(() => {
    const s = readSearch(query);
    if (query.get("lookback") === "custom" && s.start !== null && s.end !== null) return { query: `start=${s.start}&end=${s.end}`, label: "", lookback: "custom", search: `lookback=custom&start=${s.start}&end=${s.end}` };
    const lookback = query.has("lookback") && s.lookback !== "custom" ? s.lookback : fallback;
    return { query: `lookback=${lookback}`, label: lookbackLabel(lookback), lookback, search: `lookback=${lookback}` };
  }, [key, fallback]);
}

export function RangePicker({ range }: { range: Range }) {
  const { query } = usePlace();
  return (
    <label>
      <span className="visually-hidden">Time range</span>
      <select value={range.lookback} onChange={(e) => setParams({ lookback: e.target.value, start: null, end: null }, true)}>
        {range.lookback === "custom" && <option value="custom">A chosen range</option>}
        {!lookbackChoices().some((c) => c.value === range.lookback) && range.lookback !== "custom" && <option value={range.lookback}>{range.label}</option>}
        {lookbackChoices().map((c) => (
          <option key={c.value} value={c.value}>
            {c.label}
          </option>
        ))}
      </select>
      {range.lookback === "custom" && (
        <span className="dim">
          {" "}
          from <Time at={Number(query.get("start"))} long fraction={0} />
        </span>
      )}
    </label>
  );
}
