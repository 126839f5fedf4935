// Chooses the tags that stand in columns, among those that there are.
import { useState } from "react";
import { type TagKey, useAnswer } from "./api";
import { mostColumns } from "./columns";
import { count } from "./format";
import { Menu } from "./kit";

interface Props {
  chosen: string[];
  onChange: (keys: string[]) => void;
  keys: (prefix: string, signal: AbortSignal) => Promise<TagKey[]>;
  of: string; // what the keys are of: they are asked for again when it changes
}

const listed = 50;

export function ColumnMenu(props: Props) {
  const { chosen } = props;
  return (
    <Menu label={chosen.length ? `Columns ${chosen.length}` : "Columns"} title="Show tags as columns">
      {() => <Choices {...props} />}
    </Menu>
  );
}

function Choices({ chosen, onChange, keys, of }: Props) {
  const [find, setFind] = useState("");
  const { data, error } = useAnswer(`${of} ${find.trim()}`, (signal) => keys(find.trim(), signal));
  const found = (data ?? []).filter((k) => !chosen.includes(k.key) && !k.key.includes(","));
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
        {found.slice(0, listed).map((k) => row(k.key, k.spans))}
        {full && <li className="dim">{mostColumns} at most</li>}
        {error && <li className="bad">{error.message}</li>}
      </ul>
    </>
  );
}
