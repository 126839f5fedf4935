// Two traces beside each other on one scale: what matches is one row.
import { useMemo } from "react";
import type { Merged, Side } from "./compare-merge";
import { Name, openSpan, type Pair, words } from "./compare-parts";
import { duration } from "./format";
import { type Column, Icon, Table } from "./kit";
import { ERROR, type Skeleton } from "./trace/skeleton";
import { serviceColors } from "./theme-colors";

const most = 20; // bars of one row

export function Timelines({ pair, rows }: { pair: Pair; rows: Merged[] }) {
  const { a, b } = pair;
  const scale = Math.max(a.duration, b.duration, 1);
  const colors = useMemo(() => {
    const names = [...new Set([...a.services, ...b.services])], of = serviceColors(names);
    return new Map(names.map((n, i) => [n, of[i]!]));
  }, [a, b]);
  const lane = (key: "a" | "b", t: Skeleton): Column<Merged> => ({
    key, label: `${key.toUpperCase()}: ${duration(t.duration)}`, width: "minmax(88px, 2fr)",
    cell: (m) => <Lane t={t} side={m[key]} scale={scale} color={colors.get(m.service)!} />,
  });
  const columns: Column<Merged>[] = [
    { key: "name", label: "Span", width: "minmax(110px, 2fr)", cell: (m) => <Name of={m} level={m.level} /> },
    { key: "state", label: "Change", width: "92px", cell: (m) => <span className={`diff ${m.state}`}>{words[m.state]}</span>, spare: 1 },
    lane("a", a), lane("b", b),
  ];
  return <Table label="Timelines of both traces" columns={columns} rows={rows} id={(m) => m.key} height={28} onOpen={(m) => openSpan(m, pair)} />;
}

/** The spans of one row in one of the traces, with how long they took. */
function Lane({ t, side, scale, color }: { t: Skeleton; side: Side; scale: number; color: string }) {
  if (!side.count) return <span className="lane dim">–</span>;
  const at = (us: number) => `${(100 * us) / scale}%`;
  const end = side.rows.reduce((e, r) => Math.max(e, t.from[r]! + t.took[r]!), 0), begin = t.from[side.row]!;
  const after = end < scale * 0.6;
  return (
    <span className="lane">
      {side.rows.slice(0, most).map((r) => (
        <i key={r} className={t.flags[r]! & ERROR ? "wrong" : ""} style={{ left: at(t.from[r]!), width: at(t.took[r]!), background: color }} />
      ))}
      <span className={side.errors ? "bad" : ""} style={after ? { left: at(end) } : begin > scale * 0.4 ? { right: at(scale - begin) } : { left: at(begin) }}>
        {side.errors > 0 && <Icon name="error" label="with errors" />} {duration(side.total)}
        {side.count > 1 && ` ×${side.count}`}
      </span>
    </span>
  );
}
