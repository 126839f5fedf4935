package storagetest

import (
	"fmt"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// services lists the service names; that they are the oracle's is checked
// everywhere.
func (c *check) services() []string {
	c.Helper()
	names, err := c.store.Services(c.Context())
	if err != nil {
		c.Errorf("Services: %v", err)
	}
	return names
}

// nameBehaviours are about Services and Operations.
func nameBehaviours() []behaviour {
	return []behaviour{
		{
			name: "an empty store has no names",
			check: func(c *check) {
				equal(c, "services", []string(nil), c.services())
				equal(c, "operations", []storage.Operation(nil), c.operations("frontend"))
				equal(c, "operations of no service", []storage.Operation(nil), c.operations(""))
			},
		},
		{
			name:  "services are those that sent spans",
			given: batches(storedTrace(1)),
			check: func(c *check) {
				equal(c, "services", []string{"backend", "frontend"}, c.services())
				equal(c, "operations of a service only called", []storage.Operation(nil), c.operations("db"))
			},
		},
		{
			name:  "spans without a service have a service by name",
			given: batches(batch(span(1, 1, named("x")), span(1, 2, service("a"), remote("b")))),
			check: func(c *check) {
				equal(c, "services", []string{"a", spandrel.MissingService}, c.services())
				equal(c, "operations", []storage.Operation{{Name: "x"}}, c.operations(spandrel.MissingService))
				equal(c, "operations of no service", []storage.Operation(nil), c.operations(""))
			},
		},
		{
			name:  "names are listed once, sorted by bytes, in their case",
			given: batches(storedTrace(1), storedTrace(2), batch(span(3, 1, service("Frontend")), span(3, 2, service("frontend")), span(3, 3, service("é")), span(3, 4, service("\x00")))),
			check: func(c *check) {
				equal(c, "services", []string{"\x00", "Frontend", "backend", "frontend", "é"}, c.services())
			},
		},
		{
			name: "operations have kinds, sorted by name then kind",
			given: batches(batch(span(1, 1, service("a"), named("put"), kind(spandrel.KindServer)), span(1, 2, service("a"), named("get"), kind(spandrel.KindClient))),
				batch(span(1, 3, service("a"), named("get"), kind(spandrel.KindServer)), span(1, 4, service("a"), named("get")),
					span(1, 5, service("a"), named("Get"), kind(spandrel.KindConsumer)), span(2, 4, service("a"), named("get")))),
			check: func(c *check) {
				equal(c, "operations", []storage.Operation{{Name: "Get", Kind: spandrel.KindConsumer}, {Name: "get"},
					{Name: "get", Kind: spandrel.KindServer}, {Name: "get", Kind: spandrel.KindClient}, {Name: "put", Kind: spandrel.KindServer}}, c.operations("a"))
				equal(c, "operations in another case", []storage.Operation(nil), c.operations("A"))
				equal(c, "operations of another service", []storage.Operation(nil), c.operations("b"))
			},
		},
		{
			name:  "spans without a name are an operation without a name",
			given: batches(batch(span(1, 1, service("a")), span(1, 2, service("a"), named("x")), span(1, 3, service("a"), kind(spandrel.KindClient)))),
			check: func(c *check) {
				equal(c, "operations", []storage.Operation{{}, {Kind: spandrel.KindClient}, {Name: "x"}}, c.operations("a"))
			},
		},
		{
			name: "services that begin alike keep their operations apart",
			given: batches(batch(span(1, 1, service("a"), named("bc"))), batch(span(1, 2, service("ab"), named("c"))),
				batch(span(1, 3, service("a\x00"), named("d"))), batch(span(1, 4, service("a\x00b"), named("e")), span(1, 5, service("a"), named("\x00f")))),
			check: func(c *check) {
				equal(c, "a", []storage.Operation{{Name: "\x00f"}, {Name: "bc"}}, c.operations("a"))
				equal(c, "ab", []storage.Operation{{Name: "c"}}, c.operations("ab"))
				equal(c, "a NUL", []storage.Operation{{Name: "d"}}, c.operations("a\x00"))
				equal(c, "a NUL b", []storage.Operation{{Name: "e"}}, c.operations("a\x00b"))
			},
		},
		{
			name: "late and duplicate spans list a name once",
			given: batches(batch(span(1, 1, service("a"), named("x"), after(ms))), batch(span(1, 1, service("a"), named("x"), after(ms))),
				batch(span(2, 1, service("a"), named("x"), after(-1e16)))),
			check: func(c *check) {
				equal(c, "services", []string{"a"}, c.services())
				equal(c, "operations", []storage.Operation{{Name: "x"}}, c.operations("a"))
			},
		},
		{
			name: "all names are listed, however many",
			given: func() [][]spandrel.Span {
				var spans []spandrel.Span
				for i := range uint64(120) {
					spans = append(spans, span(1, 1+i, service("a"), named(fmt.Sprint("operation ", i)), remote(fmt.Sprint("remote ", i))))
				}
				for i := range uint64(1000) {
					spans = append(spans, span(2+i%10, 200+i, service(fmt.Sprint("service ", i)), named(fmt.Sprint("op ", i%3)), kind(spandrel.Kind(i%6))))
				}
				return batches(spans[:500], spans[500:])
			}(),
			check: func(c *check) {
				if got := len(c.services()); got != 1001 {
					c.Errorf("%d services, want 1001", got)
				}
				if got := len(c.operations("a")); got != 120 {
					c.Errorf("%d operations, want 120", got)
				}
			},
		},
	}
}
