package storagetest

import (
	"fmt"
	"math"
	"time"

	"github.com/spandrel/spandrel"
)

// lasted is a query for durations.
func lasted(service string, least, most time.Duration) spandrel.Query {
	return spandrel.Query{Service: service, MinDuration: int64(least), MaxDuration: int64(most)}
}

// began is a query for spans that started from and to so long after Epoch.
func began(from, to time.Duration) spandrel.Query {
	return spandrel.Query{MinStart: at(from), MaxStart: at(to)}
}

// windowBehaviours are about starts and durations.
func windowBehaviours() []behaviour {
	return append(durationBehaviours(), startBehaviours()...)
}

func durationBehaviours() []behaviour {
	const d = 200 * ms
	threeTraces := batches(
		batch(span(1, 1, service("frontend"), named("targz"), lasting(200*ms)),
			span(1, 2, parent(1), service("backend"), named("tar"), lasting(150*ms)),
			span(1, 3, parent(1), service("backend"), named("gz"), lasting(50*ms))),
		batch(span(2, 1, service("db"), named("targz"), after(ms), lasting(200*ms)),
			span(2, 2, parent(1), service("backend"), named("tar"), after(ms), lasting(150*ms)),
			span(2, 3, parent(1), service("frontend"), named("gz"), after(ms), lasting(50*ms), remote("backend"))),
		batch(span(3, 1, service("backend"), named("zip"), after(2*ms), lasting(50*ms))))
	return []behaviour{
		{
			name:  "bounds of the duration are inclusive",
			given: batches(batch(span(1, 1, service("a")))),
			want: []found{
				{"at least one more", lasted("a", d+1, 0), nil},
				{"at least so much", lasted("a", d, 0), []uint64{1}},
				{"at most so much", lasted("", 0, d), []uint64{1}},
				{"at most one less", lasted("", 0, d-1), nil},
				{"below", lasted("a", d-2, d-1), nil},
				{"exactly", lasted("a", d, d), []uint64{1}},
				{"around", lasted("", d-1, d+1), []uint64{1}},
				{"upside down", lasted("", d+1, d-1), nil},
			},
		},
		{
			name:  "durations are those of single spans",
			given: threeTraces,
			want: []found{
				{"frontend of 200 ms", lasted("frontend", 200*ms, 0), []uint64{1}},
				{"db of 200 ms", lasted("db", 200*ms, 0), []uint64{2}},
				{"backend of 50 to 150 ms", lasted("backend", 50*ms, 150*ms), []uint64{3, 2, 1}},
				{"backend of 50 ms", lasted("backend", 50*ms, 50*ms), []uint64{3, 1}},
				{"frontend of 50 ms that calls the backend", spandrel.Query{Service: "frontend",
					Tags: []spandrel.TagCondition{{Key: "peer.service", Value: "backend"}}, MaxDuration: int64(50 * ms)}, []uint64{2}},
				{"zip in the backend", spandrel.Query{Service: "backend", Operation: "zip", MaxDuration: int64(50 * ms)}, []uint64{3}},
				{"anyone of 151 to 199 ms", lasted("", 151*ms, 199*ms), nil},
			},
		},
		{
			name: "a duration that comes later is found",
			given: batches(batch(span(1, 1, service("a"), named("x"), lasting(0))),
				batch(span(1, 1, service("a"), flags(spandrel.FlagNoStart), after(ms), lasting(d)))),
			want: []found{
				{"duration", lasted("a", d, d), []uint64{1}},
				{"no span has both", spandrel.Query{Operation: "x", MinDuration: 1}, nil},
			},
		},
		{
			name: "no duration is the shortest",
			given: batches(batch(span(1, 1, service("a"), lasting(0))), batch(span(2, 1, service("a"), lasting(1), after(ms))),
				batch(span(3, 1, service("a"), lasting(math.MaxInt64), after(2*ms)))),
			want: []found{
				{"at least 1 ns", lasted("a", 1, 0), []uint64{3, 2}},
				{"at most 1 ns", lasted("a", 0, 1), []uint64{2, 1}},
				{"at least 2 ns", lasted("", 2, 0), []uint64{3}},
				{"ages", lasted("", math.MaxInt64, math.MaxInt64), []uint64{3}},
			},
		},
	}
}

func startBehaviours() []behaviour {
	early, late := make([]spandrel.Span, 10), make([]spandrel.Span, 10)
	for i := range early {
		n := uint64(i)
		early[i] = span(10+n, 1, service(fmt.Sprint("early", i)), after(-time.Duration(i)*ms))
		late[i] = span(20+n, 1, service(fmt.Sprint("late", i)), after(time.Duration(100-i)*ms))
	}
	newestLate := []uint64{20, 21, 22, 23, 24, 25, 26, 27, 28, 29}
	newestEarly := []uint64{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}
	return []behaviour{
		{
			name:  "the most recent traces of a window are found",
			given: batches(early, late),
			want: []found{
				{"all", spandrel.Query{}, append(newestLate[:10:10], newestEarly...)},
				{"20", spandrel.Query{Limit: 20}, append(newestLate[:10:10], newestEarly...)},
				{"10", spandrel.Query{Limit: 10}, newestLate},
				{"late", began(50*ms, 100*ms), newestLate},
				{"early", began(-50*ms, 0), newestEarly},
				{"3 early", spandrel.Query{MaxStart: at(0), Limit: 3}, newestEarly[:3]},
				{"from a start on", spandrel.Query{MinStart: at(99 * ms)}, newestLate[:2]},
			},
		},
		{
			name:  "bounds of the start are inclusive",
			given: batches(batch(span(1, 1, after(1*ms))), batch(span(2, 1, after(2*ms)))),
			want: []found{
				{"before", began(-time.Hour, 0), nil},
				{"first", began(-time.Hour, ms), []uint64{1}},
				{"both", began(-time.Hour, 2*ms), []uint64{2, 1}},
				{"exactly both", began(1*ms, 2*ms), []uint64{2, 1}},
				{"exactly first", began(1*ms, 2*ms-1), []uint64{1}},
				{"exactly second", began(1*ms+1, 2*ms), []uint64{2}},
				{"between", began(1*ms+1, 2*ms-1), nil},
				{"after", spandrel.Query{MinStart: at(2*ms + 1)}, nil},
				{"upside down", began(2*ms, 1*ms), nil},
			},
		},
		{
			name: "nanoseconds count",
			given: batches(batch(span(1, 1, after(999))), batch(span(2, 1, after(1000))), batch(span(3, 1, after(1001))),
				batch(span(4, 1, after(1999), lasting(1))), batch(span(5, 1, after(2000), lasting(999)))),
			want: []found{
				{"a microsecond", began(1000, 1999), []uint64{4, 3, 2}},
				{"a nanosecond", began(1001, 1001), []uint64{3}},
				{"short", spandrel.Query{MinStart: at(1000), MaxStart: at(2000), MaxDuration: 998}, []uint64{4}},
				{"less short", spandrel.Query{MinDuration: 999, MaxDuration: 1000}, []uint64{5}},
			},
		},
		{
			name: "a window inside a trace finds it by the spans inside",
			given: batches(batch(span(1, 1, service("a"), named("root"), lasting(350*ms)),
				span(1, 2, parent(1), service("b"), named("child"), after(100*ms)))),
			want: []found{
				{"root", began(0, 50*ms), []uint64{1}},
				{"child", began(50*ms, 150*ms), []uint64{1}},
				{"while it runs", began(101*ms, 350*ms), nil},
				{"other span inside", spandrel.Query{Operation: "root", MinStart: at(50 * ms)}, nil},
			},
		},
		{
			name: "spans without a start are found when they arrived",
			given: batches(batch(span(1, 1, service("a"), flags(spandrel.FlagNoStart), after(5*ms)), span(1, 2, service("a"))),
				batch(span(2, 1, service("a"), flags(spandrel.FlagNoStart), after(3*ms), lasting(0)))),
			want: []found{
				{"all", spandrel.Query{Service: "a"}, []uint64{1, 2}},
				{"then", began(3*ms, 5*ms-1), []uint64{2}},
				{"earlier", began(0, 3*ms-1), []uint64{1}},
			},
		},
		{
			name: "years apart are no matter",
			given: batches(batch(span(1, 1, service("a"), starting(1))), batch(span(2, 1, service("a"), starting(math.MaxInt64), lasting(1))),
				batch(span(3, 1, service("a")), span(3, 2, service("b"), starting(2))), batch(span(4, 1, service("b"), starting(math.MaxInt64-1)))),
			want: []found{
				{"all", spandrel.Query{}, []uint64{2, 4, 3, 1}},
				{"first", spandrel.Query{MaxStart: 1}, []uint64{1}},
				{"early", spandrel.Query{MaxStart: 1000}, []uint64{3, 1}},
				{"last", spandrel.Query{MinStart: math.MaxInt64}, []uint64{2}},
				{"late", spandrel.Query{MinStart: math.MaxInt64 - 1}, []uint64{2, 4}},
				{"b", spandrel.Query{Service: "b"}, []uint64{4, 3}},
				{"the year", began(-time.Hour, time.Hour), []uint64{3}},
			},
			fixed: true,
		},
	}
}
