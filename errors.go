package spandrel

// Rejection says why one span of a batch cannot be taken.
type Rejection struct {
	Index  int    // of the span in its batch, from 0
	Reason string // one of a closed set of snake_case words, fit for a metric label
	Err    error  // for people: what is wrong with which field
}
