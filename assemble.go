package spandrel

// Assemble puts the spans of one trace in order.
func Assemble(spans []Span) []Span { return spans }

// Parents gives for each span of an assembled trace the index of its parent,
// -1 where it has none.
func Parents(spans []Span) []int { return nil }
