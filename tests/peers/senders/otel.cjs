// Sends a trace with one of OpenTelemetry's exporters:
//   node otel.cjs URL TRACE_ID SECONDS PACKAGE CLASS
// Two services of one process; the trace begins SECONDS after the epoch. Prints
// what became of the posts.
'use strict';
const {ROOT_CONTEXT, SpanKind, SpanStatusCode, trace} = require('@opentelemetry/api');
const {resourceFromAttributes} = require('@opentelemetry/resources');
const {BasicTracerProvider, SimpleSpanProcessor} = require('@opentelemetry/sdk-trace-base');
const {channel} = require('node:diagnostics_channel');

const [url, traceId, seconds, from, name] = process.argv.slice(2);
const Exporter = require(from)[name];
const base = Number(seconds);
const at = (nanos) => [base + Math.floor(nanos / 1e9), nanos % 1e9];

const outcome = {statuses: [], failures: []};
channel('http.client.response.finish').subscribe(({response}) => outcome.statuses.push(response.statusCode));

let spans = 0;
const idGenerator = {
  generateTraceId: () => traceId,
  generateSpanId: () => `c0ffee000000000${++spans}`,
};

function tracer(service) {
  const exporter = new Exporter({url});
  const watched = {
    export: (batch, done) => exporter.export(batch, (result) => {
      if (result.code !== 0) outcome.failures.push(String(result.error));
      done(result);
    }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  };
  const provider = new BasicTracerProvider({
    idGenerator,
    resource: resourceFromAttributes({'service.name': service, 'host.name': 'Node-1'}),
    spanProcessors: [new SimpleSpanProcessor(watched)],
  });
  return {provider, tracer: provider.getTracer('Shop', '1.2')};
}

async function main() {
  const frontend = tracer('Frontend');
  const checkout = tracer('Kasse');
  const client = frontend.tracer.startSpan('POST /Bücher/{Id}',
    {kind: SpanKind.CLIENT, startTime: at(0), attributes: {'http.status_code': 503, 'Mixed.Case': 'VaLuE', list: [1, 2]}}, ROOT_CONTEXT);
  client.addEvent('Gesendet ✓', {bytes: 12}, at(125e6));
  const server = checkout.tracer.startSpan('Bücher annehmen',
    {kind: SpanKind.SERVER, startTime: at(250e6), attributes: {empty: '', secure: false}}, trace.setSpan(ROOT_CONTEXT, client));
  // Its times are no whole microseconds: the exporter sends a fraction.
  const local = checkout.tracer.startSpan('Lager prüfen',
    {startTime: at(375000600)}, trace.setSpan(ROOT_CONTEXT, server));
  local.addEvent('leer', at(500e6));
  local.setStatus({code: SpanStatusCode.ERROR, message: 'Lager: 空 😀'});
  local.end(at(625e6));
  server.setStatus({code: SpanStatusCode.OK});
  server.end(at(750e6));
  client.end(at(1e9));
  await frontend.provider.shutdown();
  await checkout.provider.shutdown();
  console.log(JSON.stringify(outcome));
}

main();
