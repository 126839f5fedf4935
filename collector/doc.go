// Package collector takes spans in: it admits posts, reads and decodes their
// bodies, counts what they hold and hands it to a [storage.Writer].
//
//	POST → admission → bounded, decompressed body → decoder → Accept → Write → 202
//
// A post is answered with 202, or by OTLP with 200 or OK, only after Write
// returned nil. What cannot be taken now is answered with 503 and Retry-After,
// what can never be taken with another status and a sentence that says why. gRPC
// has codes for the statuses; what is counted by status is counted by HTTP's.
//
// Memory is bounded: the bodies of all posts under way, decompressed, count
// against Options.MaxInFlightBytes, and so do the spans made of them.
//
// # Counting
//
// Every span of a well-formed body is counted once, when its fate is known:
//
//	received = accepted + rejected + failed
//
// accepted spans are stored; rejected ones make no sense (by reason) and will
// not be stored however often they are sent; failed ones could not be stored
// (by reason) and may be sent again. The law holds for each format. By service
// it holds too, but for rejected spans, whose service is not known: they are
// received as those of service "__unknown".
//
// # Metrics
//
//	spandrel_collector_spans_{received,accepted}_total              format, service
//	spandrel_collector_spans_rejected_total                         format, reason
//	spandrel_collector_spans_failed_total                           format, service, reason
//	spandrel_collector_requests_failed_total                        reason
//	spandrel_collector_misdirected_requests_total                   reason, path
//	spandrel_collector_http_request_duration_seconds                route, method, status
//	spandrel_collector_in_flight_{posts,bytes}
//
// Beside them stand the names that dashboards for Jaeger ask for,
// jaeger_collector_{spans,traces}_… and jaeger_collector_batch_size, and those
// for Jaeger 2, otelcol_receiver_{accepted,refused}_spans_total. Labels come
// from closed sets: of services, 4000 are told apart, of wrong paths, 100.
package collector
