// What a row says: who called whom, what for, and how it went.
import { describeUpstream, shortOperation, splitService } from "../mesh";
import { node, type Skeleton, text, upstream } from "./skeleton";

export interface RowText {
  who: string; // "productpage"
  to: string; // "reviews v2": the other side of a call, "" if there is none
  what: string; // "GET /reviews/0"
  status: string;
  flags: string;
  where: string; // pod, else address, of whoever answered
  full: string; // everything, for the tool tip
}

const shortName = (service: string) => {
  const s = splitService(service);
  return s.namespace && s.namespace !== "default" ? `${s.name}.${s.namespace}` : s.name;
};

/** The server half of a client's row, −1 if there is none. */
export const serverOf = (t: Skeleton, r: number) => {
  const p = t.pair ? t.pair[r]! : -1;
  return p >= 0 && t.parent[p] === r ? p : -1;
};

/** A tag of a row; of a call what its client says, else its server. */
export function tagText(t: Skeleton, key: string, r: number): string {
  const own = text(t, `tag:${key}`, r);
  const server = own ? -1 : serverOf(t, r);
  return server < 0 ? own : text(t, `tag:${key}`, server);
}

export function rowText(t: Skeleton, r: number): RowText {
  const service = t.services[t.service[r]!]!;
  const operation = t.operations[t.operation[r]!]!;
  const kind = t.kinds[t.kind[r]!];
  const up = upstream(t, r);
  const server = serverOf(t, r);
  const grpc = text(t, "grpc", r);
  const method = text(t, "method", r), path = text(t, "path", r);
  let to = "", where = "";
  if (server >= 0) {
    to = shortName(t.services[t.service[server]!]!);
    const revision = text(t, "revision", server) || up.subset || "";
    if (revision) to += " " + revision;
    const n = node(t, server);
    where = n.pod ?? text(t, "peer", r);
  } else if (kind === "client" || kind === "producer") {
    to = describeUpstream(up);
    where = text(t, "peer", r);
  } else {
    where = node(t, r).pod ?? "";
  }
  const who = kind === "server" && text(t, "revision", r) ? `${shortName(service)} ${text(t, "revision", r)}` : shortName(service);
  const full = [
    `${service} ${kind ? `(${kind})` : ""}`, operation, to && `→ ${to}${up.host ? ` (${up.host})` : ""}`, where && `at ${where}`,
  ].filter(Boolean).join("\n");
  return { who, to, what: method && path ? `${method} ${path}` : shortOperation(operation), status: text(t, "status", r) || (grpc && `grpc ${grpc}`), flags: text(t, "response", r), where, full };
}
