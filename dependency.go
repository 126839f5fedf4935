package spandrel

// Dependency says how often one service called another.
type Dependency struct {
	Parent, Child string
	Calls, Errors uint64 // Errors ≤ Calls
}

// Call is one call of a service by another, found in one trace.
type Call struct {
	Parent, Child string // service names, never empty
	Start         int64  // of the span that shows the call, the callee's where there is one
	Error         bool
}

// Calls finds the calls between services in all stored spans of one trace.
func Calls(spans []Span) []Call { return nil }
