// Chooses the tags that stand in columns, among those that there are.
import { useState } from "react";
import { useJson } from "./api";
import { mostColumns } from "./columns";
import { count } from "./format";
import { Menu } from "./kit";

/** `range` is where the keys come from, as tags/keys takes it. */
export function ColumnMenu({ chosen, onChange, range }: { chosen: string[]; onChange: (keys: string[]) => void; range: string }) {
  return (
    <Menu label={chosen.length ? `Columns ${chosen.length}` : "Columns"} title="Show tags as columns">
      {() => <Choices chosen={chosen} onChange={onChange} range={range} />}
    </Menu>
  );
}

function Choices({ chosen, onChange, range }: { chosen: string[]; onChange: (keys: string[]) => void; range: string }) {
  const [find, setFind] = useState("");
  const { data, error } = useJson<{ keys: { key: string; spans: number }[] }>(`tags/keys?limit=50&prefix=${encodeURIComponent(find.trim())}&${range}`);
  const found = (data?.keys ?? []).filter((k) => !chosen.includes(k.key) && !k.key.includes(","));
  const full = chosen.length >= mostColumns;
  const add = (key: string) => {
    if (!key || key.includes(",") || chosen.includes(key) || full) return;
    onChange([...chosen, key]);
    setFind("");
  };
  const row = (key: string, spans?: number) => (
    <li key={key}>
      <label title={key}>
        <input type="checkbox" checked={spans === undefined} disabled={full && spans !== undefined} onChange={() => (spans === undefined ? onChange(chosen.filter((k) => k !== key)) : add(key))} />
        <bdi>{key.slice(0, 80)}</bdi>
        {spans !== undefined && <span className="dim">{count(spans)}</span>}
      </label>
    </li>
  );
  return (
    <>
      <input type="search" value={find} aria-label="Key of a tag" placeholder="Key of a tag" spellCheck={false} onChange={(e) => setFind(e.target.value)} onKeyDown={(e) => e.key === "Enter" && add(found.find((k) => k.key === find.trim())?.key ?? (found.length === 1 ? found[0]!.key : find.trim()))} />
      <ul className="checks">
        {chosen.map((k) => row(k))}
        {found.map((k) => row(k.key, k.spans))}
        {full && <li className="dim">{mostColumns} at most</li>}
        {error && <li className="bad">{error.message}</li>}
      </ul>
    </>
  );
}
