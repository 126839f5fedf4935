package storagetest

import (
	"net/netip"
	"time"

	"github.com/spandrel/spandrel"
)

// Epoch is when the spans of the suite and, unless told otherwise, of the
// [Generator] begin: a midnight in UTC.
var Epoch = time.Date(2026, time.March, 14, 0, 0, 0, 0, time.UTC)

// at is a time after Epoch as spans have it.
func at(d time.Duration) int64 { return Epoch.Add(d).UnixNano() }

type option func(*spandrel.Span)

// span is a span of 200 ms that began at Epoch.
func span(trace, id uint64, options ...option) spandrel.Span {
	s := spandrel.Span{TraceID: spandrel.TraceID{Low: trace}, ID: spandrel.SpanID(id), Start: at(0),
		Duration: int64(200 * time.Millisecond)}
	for _, o := range options {
		o(&s)
	}
	return s
}

// batch is one Write, batches several.
func batch(spans ...spandrel.Span) []spandrel.Span     { return spans }
func batches(all ...[]spandrel.Span) [][]spandrel.Span { return all }

func high(v uint64) option            { return func(s *spandrel.Span) { s.TraceID.High = v } }
func parent(id uint64) option         { return func(s *spandrel.Span) { s.ParentID = spandrel.SpanID(id) } }
func kind(k spandrel.Kind) option     { return func(s *spandrel.Span) { s.Kind = k } }
func service(name string) option      { return func(s *spandrel.Span) { s.Local.Service = name } }
func remote(name string) option       { return func(s *spandrel.Span) { s.Remote.Service = name } }
func named(name string) option        { return func(s *spandrel.Span) { s.Name = name } }
func flags(f spandrel.Flags) option   { return func(s *spandrel.Span) { s.Flags |= f } }
func status(v spandrel.Status) option { return func(s *spandrel.Span) { s.Status = v } }
func after(d time.Duration) option    { return func(s *spandrel.Span) { s.Start = at(d) } }
func starting(t int64) option         { return func(s *spandrel.Span) { s.Start = t } }
func lasting(d time.Duration) option  { return func(s *spandrel.Span) { s.Duration = int64(d) } }
func tag(key, value string) option    { return typed(key, spandrel.StringValue(value)) }
func resource(key, value string) option {
	return func(s *spandrel.Span) { s.Resource = append(s.Resource, text(key, value)) }
}

func typed(key string, v spandrel.Value) option {
	return func(s *spandrel.Span) { s.Tags = append(s.Tags, spandrel.Tag{Key: key, Value: v}) }
}

// event is something that happened a while after Epoch.
func event(after time.Duration, name string, fields ...spandrel.Tag) option {
	return func(s *spandrel.Span) {
		s.Events = append(s.Events, spandrel.Event{Time: at(after), Name: name, Fields: fields})
	}
}

func text(key, value string) spandrel.Tag {
	return spandrel.Tag{Key: key, Value: spandrel.StringValue(value)}
}

// with makes a query for tags: key, value, key, value …
func with(pairs ...string) spandrel.Query {
	var q spandrel.Query
	for i := 0; i < len(pairs); i += 2 {
		q.Tags = append(q.Tags, spandrel.TagCondition{Key: pairs[i], Value: pairs[i+1]})
	}
	return q
}

// of is q for one service.
func of(service string, q spandrel.Query) spandrel.Query {
	q.Service = service
	return q
}

// storedTrace is Zipkin's example of a trace: a server that calls another one,
// with a shared id, which calls a database in vain.
func storedTrace(trace uint64) []spandrel.Span {
	frontend := spandrel.Endpoint{Service: "frontend", IPv4: netip.MustParseAddr("127.0.0.1")}
	backend := spandrel.Endpoint{Service: "backend", IPv4: netip.MustParseAddr("192.168.99.101"), Port: 9000}
	db := spandrel.Endpoint{Service: "db", IPv6: netip.MustParseAddr("2001:db8::c001"), Port: 3036}
	between := func(local, remote spandrel.Endpoint) option {
		return func(s *spandrel.Span) { s.Local, s.Remote = local, remote }
	}
	const ms = time.Millisecond
	id := high(0x7180c278b62e8f6a)
	return []spandrel.Span{
		span(trace, 1, id, kind(spandrel.KindServer), named("get"), between(frontend, spandrel.Endpoint{}), lasting(350*ms)),
		span(trace, 2, id, parent(1), kind(spandrel.KindClient), named("get"), between(frontend, backend), after(50*ms),
			tag("clnt/finagle.version", "6.45.0"), tag("http.path", "/api"), event(100*ms, "foo")),
		span(trace, 2, id, parent(1), kind(spandrel.KindServer), flags(spandrel.FlagShared), named("get"),
			between(backend, spandrel.Endpoint{}), after(100*ms), lasting(150*ms)),
		span(trace, 3, id, parent(2), kind(spandrel.KindClient), named("query"), between(backend, db), after(150*ms),
			lasting(50*ms), tag("error", "💩"), event(190*ms, "⻩")),
	}
}
