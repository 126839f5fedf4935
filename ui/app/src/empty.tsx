// A store without spans: what has to happen for that to change, with counters.
import { type StatusAnswer } from "./status-types";
import { useJson } from "./api";
import { count } from "./format";
import { Copy, Icon, Link } from "./kit";

export function EmptyStore() {
  const { data } = useJson<StatusAnswer>("status", 1500);
  if (!data) return null;
  return (
    <div className="nothing">
      <h2>Nothing has been stored yet</h2>
      <Checklist status={data} />
    </div>
  );
}

const meshConfig = (host: string) => `# istio meshConfig
enableTracing: true
defaultConfig:
  tracing:
    sampling: 100
    zipkin:
      address: ${host}`;

export function Checklist({ status }: { status: StatusAnswer }) {
  const open = (name: string) => status.listeners.find((l) => l.name === name && l.open);
  const zipkin = open("zipkin collector"), grpc = open("OTLP collector, gRPC"), http = open("OTLP collector, HTTP");
  const collectors = [zipkin, grpc, http].flatMap((l) => l ?? []);
  const { received, accepted, rejected, failed } = status.ingest;
  const astray = (status.ingest.misdirected ?? []).reduce((n, m) => n + m.requests, 0);
  const config = meshConfig("zipkin.istio-system:9411");
  const demo = !zipkin?.url || /:9411$/.test(zipkin.url) ? "spandrel demo" : `spandrel demo --collector ${zipkin.url}/api/v2/spans`;
  const step = (done: boolean, text: React.ReactNode) => (
    <li className={done ? "done" : "todo"}>
      <Icon name={done ? "ok" : "clock"} label={done ? "done" : "not yet"} />
      <span>{text}</span>
    </li>
  );
  return (
    <>
      <ol className="checklist" aria-live="polite">
        {step(collectors.length > 0, collectors.length ? (
          <>Collectors listen: {collectors.map((l, i) => <span key={l.name}>{i > 0 && "; "}{l.name.replace(" collector", "")} on <code>{l.address}</code></span>)}</>
        ) : "All collectors are switched off")}
        {step(received > 0, received ? `${count(received)} spans have been received` : "No span has been received so far")}
        {step(accepted > 0, accepted ? `${count(accepted)} spans have been stored` : "No span has been stored so far")}
      </ol>
      {rejected + failed > 0 && (
        <p className="trouble">
          <Icon name="error" /> {count(rejected)} spans were rejected, {count(failed)} could not be stored. <Link to="status">Why?</Link>
        </p>
      )}
      {astray > 0 && (
        <p className="trouble">
          <Icon name="error" /> {count(astray)} posts went to a path where nothing listens. <Link to="status">Which?</Link>
        </p>
      )}
      <h3>Try it without a mesh</h3>
      <p>
        <code className="block">{demo}</code> <Copy text={demo} label="Copy the command" />
      </p>
      <h3>Point an Istio mesh at it</h3>
      <div className="with-copy">
        <pre>{config}</pre>
        <Copy text={config} label="Copy the configuration" />
      </div>
      <p className="dim">
        Pods take it on when they are restarted.
        {zipkin?.url && <> Anything that speaks Zipkin can post to <code>{zipkin.url}</code>.</>}
        {grpc?.url && <> OTLP goes to <code>{grpc.url}</code> by gRPC.</>}
        {http?.url && <> OTLP goes to <code>{http.url}/v1/traces</code> by HTTP.</>}
      </p>
    </>
  );
}
