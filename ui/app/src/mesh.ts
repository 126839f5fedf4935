// What Envoy and Istio mean by the strings in their tags.

export interface Flag { short: string; hint: string }

/** Envoy's response flags (envoyproxy.io, access log, %RESPONSE_FLAGS%) and what they usually mean in an Istio mesh. */
export const flags: Record<string, Flag> = {
  UH: { short: "no healthy upstream", hint: "All endpoints are ejected or unready, or the DestinationRule's subset selects no pod." },
  UF: { short: "connection to the upstream failed", hint: "Nothing listens on that port, a NetworkPolicy drops it, or one side expects mTLS and the other does not." },
  UO: { short: "circuit breaker open", hint: "The DestinationRule's connectionPool limits were reached." },
  NR: { short: "no route", hint: "No VirtualService or Service matches host and port; look at the gateway's hosts." },
  NC: { short: "upstream cluster not found", hint: "The route names a subset or host that no DestinationRule or ServiceEntry defines, or it is not pushed yet." },
  URX: { short: "retries or connection attempts used up", hint: "Every attempt failed; the other flag says how." },
  UT: { short: "upstream request timeout", hint: "The VirtualService's timeout cut the call off; the upstream may still be working on it." },
  UC: { short: "upstream closed the connection", hint: "The app's keep-alive is shorter than Envoy's, or the pod died during the call." },
  UR: { short: "upstream reset the stream", hint: "The app or its proxy aborted the request." },
  LR: { short: "reset locally", hint: "This proxy gave the stream up." },
  LH: { short: "local health check failed", hint: "The service failed its own health check." },
  DC: { short: "client disconnected", hint: "The caller went away first, often because of its own timeout: not a fault of this service." },
  DPE: { short: "bad request from downstream", hint: "It was not valid HTTP; check the Service port's name or appProtocol." },
  UPE: { short: "bad response from upstream", hint: "It was not valid HTTP; check the Service port's name or appProtocol." },
  UMSDR: { short: "upstream stream lived too long", hint: "The route's max_stream_duration was reached." },
  DT: { short: "duration limit reached", hint: "The connection or request lived longer than the listener allows." },
  SI: { short: "stream idle timeout", hint: "Nothing was sent for longer than the stream idle timeout." },
  IH: { short: "bad Envoy header", hint: "A header that Envoy checks strictly had a value it cannot read." },
  RL: { short: "rate limited locally", hint: "A local rate limit (EnvoyFilter) refused it with 429." },
  RLSE: { short: "rate limit service failed", hint: "The external rate limit service gave no answer." },
  UAEX: { short: "refused by external authorization", hint: "The ext_authz provider of an AuthorizationPolicy said no or failed." },
  DI: { short: "delay injected", hint: "A VirtualService fault added a delay on purpose." },
  FI: { short: "abort injected", hint: "A VirtualService fault answered on purpose." },
  RFCF: { short: "answered from cache", hint: "Envoy's cache filter had it." },
  NFCF: { short: "filter config missing", hint: "A filter's configuration had not arrived in time." },
  OM: { short: "overload manager refused it", hint: "The proxy is short of memory or connections." },
  DF: { short: "DNS lookup failed", hint: "The host of a ServiceEntry does not resolve." },
  DO: { short: "dropped under overload", hint: "The upstream cluster's drop policy refused it." },
};

/** "UF,URX" → the two; "-" and "" → none. */
export const splitFlags = (s: string | undefined) => (!s || s === "-" ? [] : s.split(",").map((f) => f.trim()).filter(Boolean));

export const explainFlags = (s: string | undefined) =>
  splitFlags(s).map((f) => (flags[f] ? `${f}: ${flags[f].short}. ${flags[f].hint}` : f)).join("\n");

export interface Upstream { direction?: string; port?: number; subset?: string; host?: string; service?: string; namespace?: string; special?: string }

/** outbound|9080|v2|reviews.default.svc.cluster.local, and the older form with _. between. */
export function parseUpstream(text: string): Upstream {
  const s = text.replace(/;+$/, "").trim();
  if (/^(Inbound)?PassthroughCluster(Ipv[46])?$/.test(s)) return { special: "passthrough" };
  if (s === "BlackHoleCluster") return { special: "blackhole" };
  const m = /^(outbound|inbound|inbound-vip)(?:\||_\.)(\d+)(?:\||_\.)([^|]*?)(?:\||_\.)(.*)$/.exec(s);
  if (!m) return {};
  const up: Upstream = { direction: m[1], port: Number(m[2]) };
  const subset = m[3]!.replace(/^_+|_+$/g, "");
  if (subset) up.subset = subset;
  if (m[4]) {
    up.host = m[4];
    const svc = /^([^.]+)\.([^.]+)\.svc(\.|$)/.exec(m[4]);
    if (svc) (up.service = svc[1]!), (up.namespace = svc[2]!);
  }
  return up;
}

export function describeUpstream(u: Upstream): string {
  if (u.special === "passthrough") return "passthrough (not a known service)";
  if (u.special === "blackhole") return "black hole (blocked by REGISTRY_ONLY)";
  if (u.direction?.startsWith("inbound")) return `this pod :${u.port}`;
  if (!u.host) return "";
  return `${u.service ?? u.host}${u.namespace && u.namespace !== "default" ? "." + u.namespace : ""}${u.subset ? " " + u.subset : ""}${u.port ? " :" + u.port : ""}`;
}

export interface Node { type?: string; ip?: string; pod?: string; namespace?: string; workload?: string }

/** sidecar~10.1.2.3~reviews-v2-6789c8d5f4-abcd3.default~default.svc.cluster.local */
export function parseNode(text: string): Node {
  const [type, ip, podNs] = text.split("~");
  if (!podNs || !/^(sidecar|router|waypoint|ztunnel)$/.test(type!)) return {};
  const dot = podNs.lastIndexOf(".");
  const pod = dot < 0 ? podNs : podNs.slice(0, dot);
  const node: Node = { type, ip, pod, workload: workload(pod) };
  if (dot >= 0) node.namespace = podNs.slice(dot + 1);
  return node;
}

// Kubernetes makes its random suffixes of these letters only.
const random = "bcdfghjklmnpqrstvwxz2456789";

/** The workload a pod's name was made from: without the ReplicaSet's hash and the pod's suffix. */
export function workload(pod: string): string {
  const deployment = new RegExp(`^(.+)-[0-9a-f]*[${random}0-9a-f]{5,10}-[${random}]{5}$`).exec(pod);
  if (deployment) return deployment[1]!;
  return pod.replace(/-\d+$/, "");
}

/** "reviews.default" → what to show first, and what only to tell apart. */
export function splitService(name: string): { name: string; namespace: string } {
  const m = /^([^.]+)\.([a-z0-9-]+)$/.exec(name);
  return m ? { name: m[1]!, namespace: m[2]! } : { name, namespace: "" };
}

/** Istio's operation names carry "….svc.cluster.local:9080/*": say only what tells them apart. */
export function shortOperation(op: string): string {
  const m = /^(?:([^:/]+?)(?:\.svc(?:\.cluster\.local)?|\.svc\.[a-z0-9.-]+))(?::\d+)?(\/.*)?$/.exec(op) ?? /^([^:/\s]+)(?::\d+)(\/.*)$/.exec(op);
  if (!m) return op;
  const host = m[1]!.replace(/\.default$/, "");
  const path = !m[2] || m[2] === "/*" ? "" : m[2];
  return path ? `${host} ${path}` : host;
}

const grpcCodes = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"];
export const grpcStatus = (code: string) => grpcCodes[Number(code)] ?? code;
