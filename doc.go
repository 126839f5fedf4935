// Package spandrel holds the vocabulary of the product: what a span is, how
// spans of one trace fit together and what a search matches. Every other
// package speaks these types; this one imports only the standard library.
//
// A [Span] can hold a Zipkin, a Jaeger and an OpenTelemetry span without loss.
// Case and spelling are kept as sent; a protocol that wants lower case makes
// it so in its own view. Functions on spans are pure: they neither keep nor
// change their input unless they say so.
package spandrel
