// Sends a trace with Zipkin's library for JavaScript:
//   node zipkin.cjs URL TRACE_ID SECONDS JSON_V1|JSON_V2
// Two services of one process; the trace begins SECONDS after the epoch. Prints
// what became of the posts.
'use strict';
const {
  Annotation, BatchRecorder, ExplicitContext, InetAddress, TraceId, Tracer, jsonEncoder, option: {None, Some},
} = require('zipkin');
const {HttpLogger} = require('zipkin-transport-http');

const [endpoint, traceId, seconds, encoder] = process.argv.slice(2);
const at = (millis) => Number(seconds) * 1e6 + millis * 1e3;

const logger = new HttpLogger({endpoint, jsonEncoder: jsonEncoder[encoder]});
const recorder = new BatchRecorder({logger});
const tracer = (localServiceName) => new Tracer({ctxImpl: new ExplicitContext(), recorder, localServiceName, traceId128Bit: true});
const frontend = tracer('Frontend');
const checkout = tracer('Kasse');

const id = (spanId, parentId = None) => new TraceId({traceId, spanId, parentId, sampled: new Some(true)});

frontend.letId(id('c0ffee0000000001'), () => {
  frontend.recordServiceName('Frontend');
  frontend.recordRpc('POST /Bücher/{Id}');
  frontend.recordLocalAddr({host: new InetAddress('192.0.2.1'), port: 8080});
  frontend.recordServerAddr({serviceName: 'Kasse', host: new InetAddress('192.0.2.2'), port: 9090});
  frontend.recordBinary('http.status_code', 503);
  frontend.recordBinary('Mixed.Case', 'VaLuE');
  frontend.recordAnnotation(new Annotation.ClientSend(), at(0));
  frontend.recordAnnotation(new Annotation.Message('Gesendet ✓'), at(125));
  frontend.recordAnnotation(new Annotation.ClientRecv(), at(1000));
});

checkout.letId(checkout.join(id('c0ffee0000000001')), () => {
  checkout.recordServiceName('Kasse');
  checkout.recordRpc('Bücher annehmen');
  checkout.recordLocalAddr({host: new InetAddress('192.0.2.2'), port: 9090});
  checkout.recordClientAddr({host: new InetAddress('192.0.2.1'), port: 40000});
  checkout.recordBinary('empty', '');
  checkout.recordAnnotation(new Annotation.ServerRecv(), at(250));
  checkout.recordAnnotation(new Annotation.ServerSend(), at(750));
});

checkout.letId(id('c0ffee0000000003', new Some('c0ffee0000000001')), () => {
  checkout.recordServiceName('Kasse');
  checkout.recordAnnotation(new Annotation.LocalOperationStart('Lager prüfen'), at(375));
  checkout.recordBinary('error', 'Lager: 空 😀');
  checkout.recordAnnotation(new Annotation.Message('leer'), at(500));
  checkout.recordAnnotation(new Annotation.LocalOperationStop(), at(625));
});

const finish = (statuses, failures) => {
  console.log(JSON.stringify({statuses, failures}));
  process.exit();
};
logger.on('success', (response) => finish([response.status], []));
logger.on('error', (err) => finish([], [String(err)]));
logger.processQueue(logger.fetchImplementation);
