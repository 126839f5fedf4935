package zipkin

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
)

var (
	frontend = spandrel.Endpoint{Service: "frontend", IPv4: netip.MustParseAddr("127.0.0.1")}
	backend  = spandrel.Endpoint{Service: "backend", IPv4: netip.MustParseAddr("192.168.99.101"), Port: 9000}
	kafka    = spandrel.Endpoint{Service: "kafka"}
	nobody   = spandrel.Endpoint{}
)

// endpointsV1 are the endpoints that the notation of v1Cases names.
var endpointsV1 = map[string]string{
	"F":  `{"serviceName":"frontend","ipv4":"127.0.0.1"}`,
	"FP": `{"serviceName":"frontend","ipv4":"127.0.0.1","port":63840}`,
	"FB": `{"serviceName":"backend","ipv4":"127.0.0.1"}`,
	"B":  `{"serviceName":"backend","ipv4":"192.168.99.101","port":9000}`,
	"B0": `{"serviceName":"backend","ipv4":"192.168.99.101"}`,
	"BU": `{"serviceName":"BACKEND","ipv4":"192.168.99.101"}`,
	"K":  `{"serviceName":"kafka"}`,
	"E":  `{"serviceName":""}`,
	"-":  `null`,
}

// spanV1JSON writes a span of version 1 with ids 1, 2, 3. Annotations are
// "time value endpoint", binary annotations "key=value endpoint", where the
// value @ is the true of an address; both separated by semicolons.
func spanV1JSON(fields, annotations, binaries string) string {
	list := func(items string, element func(item, endpoint string) string) string {
		var all []string
		for item := range strings.SplitSeq(items, "; ") {
			if cut := strings.LastIndexByte(item, ' '); cut >= 0 {
				all = append(all, element(item[:cut], endpointsV1[item[cut+1:]]))
			}
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	as := list(annotations, func(item, endpoint string) string {
		at, val, _ := strings.Cut(item, " ")
		return fmt.Sprintf(`{"timestamp":%s,"value":%q,"endpoint":%s}`, at, val, endpoint)
	})
	bs := list(binaries, func(item, endpoint string) string {
		key, val, _ := strings.Cut(item, "=")
		if val = strconv.Quote(val); val == `"@"` {
			val = "true"
		}
		return fmt.Sprintf(`{"key":%q,"value":%s,"endpoint":%s}`, key, val, endpoint)
	})
	return fmt.Sprintf(`{"traceId":"1","parentId":"2","id":"3","name":"get"%s,"annotations":%s,"binaryAnnotations":%s}`, comma(fields), as, bs)
}

// side is a span as the v1Cases expect it; times are microseconds.
func side(kind spandrel.Kind, local, remote spandrel.Endpoint, start, duration int64, more ...any) spandrel.Span {
	s := spandrel.Span{
		TraceID: spandrel.TraceID{Low: 1}, ParentID: 2, ID: 3, Name: "get",
		Kind: kind, Local: local, Remote: remote, Start: start * 1000, Duration: duration * 1000,
	}
	for _, m := range more {
		switch m := m.(type) {
		case spandrel.Flags:
			s.Flags = m
		case []spandrel.Tag:
			s.Tags = m
		case []spandrel.Event:
			s.Events = m
		}
	}
	return s
}

const (
	none     = spandrel.KindNone
	client   = spandrel.KindClient
	server   = spandrel.KindServer
	producer = spandrel.KindProducer
	consumer = spandrel.KindConsumer
	shared   = spandrel.FlagShared

	timed = `"timestamp":199,"duration":207`
)

// port is the endpoint at another port.
func port(e spandrel.Endpoint, p uint16) spandrel.Endpoint { e.Port = p; return e }

// unnamed is the endpoint without its service's name.
func unnamed(e spandrel.Endpoint) spandrel.Endpoint { e.Service = ""; return e }

var v1Cases = []struct {
	name, fields, annotations, binaries string
	want                                []spandrel.Span
}{
	{"client", timed, "199 cs F; 238 ws F; 403 wr F; 406 cr F", "http.path=/api F; clnt/finagle.version=6.45.0 F; sa=@ B",
		[]spandrel.Span{side(client, frontend, backend, 199, 207, events(238, "ws", 403, "wr"), tags("clnt/finagle.version", "6.45.0", "http.path", "/api"))}},
	{"client unfinished", `"timestamp":199`, "199 cs F; 238 ws F", "",
		[]spandrel.Span{side(client, frontend, nobody, 199, 0, events(238, "ws"))}},
	{"client with kind from annotations", `"timestamp":199,"duration":39`, "199 cs F; 238 cr F", "",
		[]spandrel.Span{side(client, frontend, nobody, 199, 39)}},
	{"client without times of its own", "", "199 cs F; 406 cr F", "",
		[]spandrel.Span{side(client, frontend, nobody, 199, 207)}},
	{"client's end and the server's address alone", "", "199 cr F", "sa=@ B",
		[]spandrel.Span{side(client, frontend, backend, 0, 0, events(199, "cr"))}},
	{"the server's address alone", "", "", "sa=@ B", []spandrel.Span{side(none, nobody, backend, 0, 0)}},
	{"no annotations but an address", timed, "", "lc= F; sa=@ B", []spandrel.Span{side(none, frontend, backend, 199, 207)}},
	{"server", timed, "199 sr B; 406 ss B", "http.path=/api B; finagle.version=6.45.0 B; ca=@ F",
		[]spandrel.Span{side(server, backend, frontend, 199, 207, tags("finagle.version", "6.45.0", "http.path", "/api"))}},
	{"server with the client's socket and no times, as Finagle sent it", "", "199 sr B; 699 Gc(9,0.PSScavenge) B; 406 ss B", "srv/finagle.version=6.28.0 B0; sa=@ B; ca=@ FP",
		[]spandrel.Span{side(server, backend, port(frontend, 63840), 199, 207, shared, events(699, "Gc(9,0.PSScavenge)"), tags("srv/finagle.version", "6.28.0"))}},
	{"no endpoints at all", timed, "", "", []spandrel.Span{side(none, nobody, nobody, 199, 207)}},
	{"core annotation without endpoint", `"timestamp":199`, "199 sr -", "", []spandrel.Span{side(none, nobody, nobody, 199, 0, events(199, "sr"))}},
	{"core annotation with an endpoint without a name, as zipkin-js sends it", "", "199 cs E; 206 cr E", "", []spandrel.Span{side(client, nobody, nobody, 199, 7)}},
	{"server without times is shared", "", "199 sr B; 406 ss B", "", []spandrel.Span{side(server, backend, nobody, 199, 207, shared)}},
	{"server unfinished and without times is shared", "", "199 sr B", "", []spandrel.Span{side(server, backend, nobody, 199, 0, shared)}},
	{"server with an answer but without a duration is shared", `"timestamp":198`, "199 sr B; 406 ss B", "", []spandrel.Span{side(server, backend, nobody, 199, 207, shared)}},
	{"server's end and the client's address alone", "", "199 ss B", "ca=@ F", []spandrel.Span{side(server, backend, frontend, 0, 0, events(199, "ss"))}},
	{"the client's address alone", "", "", "ca=@ F", []spandrel.Span{side(server, nobody, frontend, 0, 0)}},
	{"local span without a component", timed, "", "lc= F", []spandrel.Span{side(none, frontend, nobody, 199, 207)}},
	{"local span with a component", timed, "", "lc=spooler F", []spandrel.Span{side(none, frontend, nobody, 199, 207, tags("lc", "spooler"))}},
	{"producer and its broker", `"timestamp":199`, "199 ms F", "ma=@ K", []spandrel.Span{side(producer, frontend, kafka, 199, 0)}},
	{"producer with duration", `"timestamp":199,"duration":51`, "199 ms F; 250 ws F", "", []spandrel.Span{side(producer, frontend, nobody, 199, 51)}},
	{"producer without times", "", "199 ms F", "", []spandrel.Span{side(producer, frontend, nobody, 199, 0)}},
	{"consumer", `"timestamp":199`, "199 mr B", "", []spandrel.Span{side(consumer, backend, nobody, 199, 0)}},
	{"consumer and its broker", `"timestamp":199`, "199 mr B", "ma=@ K", []spandrel.Span{side(consumer, backend, kafka, 199, 0)}},
	{"consumer with duration", `"timestamp":199,"duration":51`, "199 wr B; 250 mr B", "", []spandrel.Span{side(consumer, backend, nobody, 199, 51)}},
	{"client and server", timed, "199 cs F; 238 ws F; 250 sr B; 350 ss B; 403 wr F; 406 cr F",
		"http.path=/api F; http.path=/BACKEND B; clnt/finagle.version=6.45.0 F; srv/finagle.version=6.44.0 B; ca=@ F; sa=@ B",
		[]spandrel.Span{
			side(client, frontend, backend, 199, 207, events(238, "ws", 403, "wr"), tags("clnt/finagle.version", "6.45.0", "http.path", "/api")),
			side(server, backend, frontend, 250, 100, shared, tags("http.path", "/BACKEND", "srv/finagle.version", "6.44.0")),
		}},
	{"client and server of one service", timed, "199 cs F; 250 sr F; 350 ss F; 406 cr F", "",
		[]spandrel.Span{side(client, frontend, nobody, 199, 207), side(server, frontend, nobody, 250, 100, shared)}},
	{"one way, of one service", "", "199 cs F; 250 sr F", "",
		[]spandrel.Span{side(client, frontend, nobody, 199, 0), side(server, frontend, nobody, 250, 0, shared)}},
	{"one way, with the span's own start", `"timestamp":199`, "199 cs F; 250 sr B", "",
		[]spandrel.Span{side(client, frontend, nobody, 199, 0), side(server, backend, nobody, 250, 0, shared)}},
	{"client's begin where its end should be", timed, "406 cs F", "", []spandrel.Span{side(client, frontend, nobody, 199, 207)}},
	{"client without begin", timed, "406 cr F", "", []spandrel.Span{side(client, frontend, nobody, 199, 207)}},
	{"server without begin", timed, "406 ss B", "", []spandrel.Span{side(server, backend, nobody, 199, 207)}},
	{"client with its own address as both", timed, "199 cs F; 406 cr F", "ca=@ F; sa=@ F", []spandrel.Span{side(client, frontend, frontend, 199, 207)}},
	{"server with its own address as both", timed, "199 sr F; 406 ss F", "ca=@ F; sa=@ F", []spandrel.Span{side(server, frontend, nobody, 199, 207)}},
	{"server with its own name on the client's socket", timed, "199 sr B; 406 ss B", "ca=@ FB; sa=@ B", []spandrel.Span{side(server, backend, unnamed(frontend), 199, 207)}},
	{"producer and consumer", "", "199 ms F; 238 ws F; 403 wr B; 406 mr B", "ma=@ K",
		[]spandrel.Span{side(producer, frontend, kafka, 199, 39), side(consumer, backend, kafka, 403, 3, shared)}},
	{"producer and consumer of one service", "", "199 ms F; 238 ws F; 403 wr F; 406 mr F", "",
		[]spandrel.Span{side(producer, frontend, nobody, 199, 39), side(consumer, frontend, nobody, 403, 3, shared)}},
	{"addresses alone", "", "", "ca=@ F; sa=@ B", []spandrel.Span{side(none, frontend, backend, 0, 0)}},
	{"addresses of a service that calls itself", timed, "199 cs F; 250 sr F; 350 ss F; 406 cr F", "ca=@ FP; sa=@ B",
		[]spandrel.Span{side(client, frontend, backend, 199, 207), side(server, frontend, unnamed(port(frontend, 63840)), 250, 100, shared)}},
	{"client that is a producer too, the last kind counts", timed, "199 cs F; 406 cr F; 410 ms F", "sa=@ B", []spandrel.Span{side(producer, frontend, backend, 199, 207)}},
	{"broker of a service that sends to itself", "", "199 ms F; 403 mr F", "ma=@ K",
		[]spandrel.Span{side(producer, frontend, kafka, 199, 0), side(consumer, frontend, kafka, 403, 0, shared)}},
	{"data without endpoint goes to the first span", "", "199 foo F; 238 bar F; 250 baz B; 350 qux B; 403 missing -", "foo=bar F; baz=qux B; missing= -",
		[]spandrel.Span{
			side(none, frontend, nobody, 0, 0, events(199, "foo", 238, "bar", 403, "missing"), tags("foo", "bar", "missing", "")),
			side(none, backend, nobody, 0, 0, events(250, "baz", 350, "qux"), tags("baz", "qux")),
		}},
	{"address with a text for its value, as from Ruby", timed, "199 cs F; 406 cr F", "sa=1 B", []spandrel.Span{side(client, frontend, backend, 199, 207)}},
	{"address of nobody", timed, "199 cs F; 406 cr F", "sa=@ -", []spandrel.Span{side(client, frontend, nobody, 199, 207)}},
	{"error keeps its text", timed, "199 cs F; 406 cr F", "error=timed out F", []spandrel.Span{side(client, frontend, nobody, 199, 207, tags("error", "timed out"))}},
	{"one service in two spellings is one span", timed, "199 sr B0; 406 ss BU", "", []spandrel.Span{side(server, port(backend, 0), nobody, 199, 207)}},
	{"client's end before its begin", "", "406 cs F; 199 cr F", "", []spandrel.Span{side(client, frontend, nobody, 406, 0)}},
	{"debug", `"debug":true`, "199 cs F; 406 cr F", "", []spandrel.Span{side(client, frontend, nobody, 199, 207, spandrel.FlagDebug)}},
	{"parent is the span", `"parentId":"3"`, "", "", []spandrel.Span{func() spandrel.Span {
		s := side(none, nobody, nobody, 0, 0)
		s.ParentID = 0
		return s
	}()}},
	{"ids longer than 16 digits count from the right, trace ids whole", `"traceId":"1000000000000000a","id":"ff0000000000000003","parentId":"ee0000000000000002"`, "", "",
		[]spandrel.Span{func() spandrel.Span {
			s := side(none, nobody, nobody, 0, 0)
			s.TraceID = spandrel.TraceID{High: 1, Low: 10}
			return s
		}()}},
}

func TestV1(t *testing.T) {
	for _, c := range v1Cases {
		t.Run(c.name, func(t *testing.T) {
			body := spanV1JSON(c.fields, c.annotations, c.binaries)
			if !json.Valid([]byte(body)) {
				t.Fatalf("not JSON: %s", body)
			}
			for _, v1 := range []bool{true, false} {
				got, rejected, err := new(Decoder).JSON([]byte("["+body+"]"), v1)
				if err != nil || rejected != nil {
					t.Fatal(rejected, err)
				}
				if diff := gocmp.Diff(got, c.want, comparing); diff != "" {
					t.Errorf("v1 path %v: %s: got -, want +:\n%s", v1, body, diff)
				}
			}
		})
	}
}

func TestV1ValuesThatAreNotText(t *testing.T) {
	body := `{"traceId":"1","id":"2","annotations":[{"timestamp":1,"value":7,"x":{}}],"binaryAnnotations":[
		{"key":"num","value":1.5,"type":"DOUBLE"},{"key":"yes","value":true},{"key":"nil","value":null},{"key":"none","y":0},
		{"key":"obj","value":{"a": [1, 2]}}, null, {"key":"","value":"empty"}]}`
	got, rejected, err := new(Decoder).JSON([]byte(body), true)
	if err != nil || rejected != nil {
		t.Fatal(rejected, err)
	}
	want := []spandrel.Span{minimal(func(s *spandrel.Span) {
		s.Events = events(1, "7")
		s.Tags = tags("", "empty", "nil", "", "none", "", "num", "1.5", "obj", `{"a":[1,2]}`, "yes", "true")
	})}
	if diff := gocmp.Diff(got, want, comparing); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

func TestV1RejectsWhatMakesNoSense(t *testing.T) {
	for _, c := range []struct{ name, fields, reason string }{
		{"trace id zero", `"traceId":"0"`, ReasonTraceID},
		{"trace id not hexadecimal", `"traceId":"x"`, ReasonTraceID},
		{"id zero", `"id":"0"`, ReasonSpanID},
		{"id whose last 16 digits are zeros", `"id":"10000000000000000"`, ReasonSpanID},
		{"parent not hexadecimal", `"parentId":"x"`, ReasonParentID},
		{"timestamp not a number", `"timestamp":"x"`, ReasonTimestamp},
		{"name an object", `"name":{}`, ReasonName},
		{"annotation without value", `"annotations":[{"timestamp":1}]`, ReasonAnnotation},
		{"annotation without timestamp", `"annotations":[{"value":"cs"}]`, ReasonAnnotation},
		{"annotation that is text", `"annotations":["cs"]`, ReasonAnnotation},
		{"annotations that are text", `"annotations":"cs"`, ReasonAnnotation},
		{"annotation with a port that cannot be", `"annotations":[{"timestamp":1,"value":"cs","endpoint":{"port":65536}}]`, ReasonEndpoint},
		{"annotation with an endpoint that is text", `"annotations":[{"timestamp":1,"value":"cs","endpoint":"a"}]`, ReasonEndpoint},
		{"binary annotation without key", `"binaryAnnotations":[{"value":"a"}]`, ReasonTag},
		{"binary annotation whose key is a list", `"binaryAnnotations":[{"key":[],"value":"a"}]`, ReasonTag},
		{"binary annotation that is a number", `"binaryAnnotations":[1]`, ReasonTag},
		{"binary annotation with an endpoint that is a list", `"binaryAnnotations":[{"key":"a","value":"b","endpoint":[1]}]`, ReasonEndpoint},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := "[" + with(`"binaryAnnotations":[],`+c.fields) + "," + spanV1JSON("", "", "") + "]"
			spans, rejected, err := new(Decoder).JSON([]byte(body), true)
			if err != nil || len(spans) != 1 {
				t.Fatalf("%d spans, %v, want 1", len(spans), err)
			}
			if diff := gocmp.Diff(reasons(t, rejected), []string{c.reason}); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
		})
	}
}

func TestV1SpanOfVeryManyServicesIsRejected(t *testing.T) {
	annotations := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"timestamp":1,"value":"cs","endpoint":{"serviceName":"s%d"}}`, i))
		}
		return with(`"annotations":[` + strings.Join(all, ",") + `]`)
	}
	spans, rejected, err := new(Decoder).JSON([]byte("["+annotations(maxServices)+","+annotations(10*maxServices)+"]"), true)
	if err != nil || len(spans) != maxServices {
		t.Errorf("%d spans, %v, want %d", len(spans), err, maxServices)
	}
	if diff := gocmp.Diff(reasons(t, rejected), []string{ReasonEndpoint}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

func TestVersionIsToldByContentAndElseByPath(t *testing.T) {
	const v1, v2 = true, false
	for _, c := range []struct {
		name, fields string
		onV1, onV2   bool // the version each path makes of it
	}{
		{"ids alone", ``, v1, v2},
		{"annotation without endpoint", `"annotations":[{"timestamp":1,"value":"cs"}]`, v1, v2},
		{"binary annotations", `"binaryAnnotations":[]`, v1, v1},
		{"annotation with endpoint", `"annotations":[{"timestamp":1,"value":"cs","endpoint":{"serviceName":"a"}}]`, v1, v1},
		{"kind", `"kind":"CLIENT"`, v2, v2},
		{"tags", `"tags":{}`, v2, v2},
		{"local endpoint", `"localEndpoint":{}`, v2, v2},
		{"remote endpoint", `"remoteEndpoint":{}`, v2, v2},
		{"shared", `"shared":false`, v2, v2},
		{"fields of version 2 that are null", `"kind":null,"tags":null,"localEndpoint":null`, v1, v2},
		{"both", `"tags":{},"binaryAnnotations":[]`, v1, v2},
		{"version 2 with an endpoint at an annotation and tags", `"tags":{},"annotations":[{"timestamp":1,"value":"cs","endpoint":{}}]`, v1, v2},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Only version 1 takes the last 16 digits of a longer id.
			body := with(`"id":"10000000000000002"` + comma(c.fields))
			for path, want := range map[bool]bool{v1: c.onV1, v2: c.onV2} {
				spans, rejected, err := new(Decoder).JSON([]byte(body), path)
				if err != nil {
					t.Fatal(err)
				}
				if got := len(spans) == 1 && len(rejected) == 0; got != want {
					t.Errorf("path of version 1: %v: read as version 1: %v, want %v", path, got, want)
				}
			}
		})
	}
}

func TestVersionsMayMixInOneBody(t *testing.T) {
	body := "[" + spanV1JSON("", "199 cs F; 406 cr F", "a=b F") + "," + with(`"kind":"SERVER","tags":{"c":"d"}`) + "]"
	for _, v1 := range []bool{true, false} {
		got, rejected, err := new(Decoder).JSON([]byte(body), v1)
		if err != nil || rejected != nil {
			t.Fatal(rejected, err)
		}
		want := []spandrel.Span{
			side(client, frontend, nobody, 199, 207, tags("a", "b")),
			minimal(func(s *spandrel.Span) { s.Kind, s.Tags = server, tags("c", "d") }),
		}
		if diff := gocmp.Diff(got, want, comparing); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
	}
}
