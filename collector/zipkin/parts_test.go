package zipkin

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
)

// events makes annotations of instants in microseconds and names in turn.
func events(pairs ...any) []spandrel.Event {
	var all []spandrel.Event
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, spandrel.Event{Time: int64(pairs[i].(int)) * 1000, Name: pairs[i+1].(string)})
	}
	return all
}

func TestTags(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	var many, manySorted []string
	for i := range 100 {
		many = append(many, fmt.Sprintf(`"common-prefix-%02d":"%d"`, (i*37)%100, (i*37)%100))
		manySorted = append(manySorted, fmt.Sprintf("common-prefix-%02d", i), fmt.Sprint(i))
	}
	for _, c := range []struct {
		name, tags string
		want       []spandrel.Tag
		reason     string
	}{
		{name: "null", tags: `null`},
		{name: "none", tags: `{}`},
		{name: "none, as PHP says it", tags: `[]`},
		{name: "sorted by key", tags: `{"b":"2","a":"1","B":"3","":"4"}`, want: tags("", "4", "B", "3", "a", "1", "b", "2")},
		{name: "keys alike in their first 8 bytes", tags: `{"upstream_cluster.name":"2","upstream_cluster":"1","upstream":"0"}`,
			want: tags("upstream", "0", "upstream_cluster", "1", "upstream_cluster.name", "2")},
		{name: "keys that differ in a zero byte", tags: `{"a\u0000":"2","a":"1"}`, want: tags("a", "1", "a\x00", "2")},
		{name: "many", tags: "{" + strings.Join(many, ",") + "}", want: tags(manySorted...)},
		{name: "key given twice", tags: `{"a":"1","b":"2","a":"3"}`, want: tags("a", "3", "b", "2")},
		{name: "key given thrice among many", tags: `{"common-prefix-05":"x",` + strings.Join(many, ",") + `,"common-prefix-05":"5"}`, want: tags(manySorted...)},
		{name: "tags given twice add up", tags: `{"a":"1","b":"2"},"tags":{"b":"3","c":"4"}`, want: tags("a", "1", "b", "3", "c", "4")},
		{name: "value empty", tags: `{"error":""}`, want: tags("error", "")},
		{name: "value null", tags: `{"foo":null}`, want: tags("foo", "")},
		{name: "value a number", tags: `{"a":1,"b":1.50,"c":-2e3}`, want: tags("a", "1", "b", "1.50", "c", "-2e3")},
		{name: "value a boolean", tags: `{"a":true,"error":false}`, want: tags("a", "true", "error", "false")},
		{name: "value a list", tags: `{"a":[ 1, "x y" ,null ]}`, want: tags("a", `[1,"x y",null]`)},
		{name: "value an object", tags: `{"a":{ "b" : "c\" }" }}`, want: tags("a", `{"b":"c\" }"}`)},
		{name: "value compact already", tags: `{"a":{"b":[1,{}]}}`, want: tags("a", `{"b":[1,{}]}`)},
		{name: "value of 100 kB", tags: `{"a":"` + long + `"}`, want: tags("a", long)},
		{name: "value with bars, which Jaeger takes for an event", tags: `{"a":"a|b|c"}`, want: tags("a", "a|b|c")},
		{name: "keys Jaeger would move or delete", tags: `{"host.name":"h","span.kind":"x","otel.status_code":"ERROR","error":"false"}`,
			want: tags("error", "false", "host.name", "h", "otel.status_code", "ERROR", "span.kind", "x")},
		{name: "escapes", tags: `{"a":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude00"}`, want: tags("a", "\"\\/\b\f\n\r\tA\u00e9\u20ac\U0001F600")},
		{name: "half a surrogate pair", tags: `{"a":"\ud83dx","b":"\ude00","c":"\ud83d\u0041","d":"\ud83d\ud83d\ude00"}`,
			want: tags("a", "\uFFFDx", "b", "\uFFFD", "c", "\uFFFDA", "d", "\uFFFD\U0001F600")},
		{name: "UTF-8", tags: `{"服务":"💩"}`, want: tags("服务", "💩")},
		{name: "invalid UTF-8", tags: "{\"a\":\"x\xffy\"}", want: tags("a", "x\uFFFDy")},
		{name: "control characters", tags: "{\"a\":\"x\ny\tz\x00\"}", want: tags("a", "x\ny\tz\x00")},
		{name: "a list", tags: `[{"a":"b"}]`, reason: ReasonTag},
		{name: "text", tags: `"a=b"`, reason: ReasonTag},
		{name: "a number", tags: `1`, reason: ReasonTag},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkFields(t, `"tags":`+c.tags, func(s *spandrel.Span) { s.Tags = c.want }, c.reason)
		})
	}
}

func TestAnnotations(t *testing.T) {
	for _, c := range []struct {
		name, annotations string
		want              []spandrel.Event
		reason            string
	}{
		{name: "null", annotations: `null`},
		{name: "none", annotations: `[]`},
		{name: "none, as an empty object", annotations: `{}`},
		{name: "list of null", annotations: `[null]`},
		{name: "one", annotations: `[{"timestamp":5,"value":"foo"}]`, want: events(5, "foo")},
		{name: "Envoy's", annotations: `[{"value":"cr","timestamp":5}]`, want: events(5, "cr")},
		{name: "sorted by time, then value, and equal ones once",
			annotations: `[{"timestamp":2,"value":"b"},{"timestamp":1,"value":"z"},{"timestamp":2,"value":"a"},{"timestamp":2,"value":"b"}]`,
			want:        events(1, "z", 2, "a", 2, "b")},
		{name: "given twice add up", annotations: `[{"timestamp":2,"value":"b"}],"annotations":[{"timestamp":1,"value":"a"}]`, want: events(1, "a", 2, "b")},
		{name: "timestamp zero", annotations: `[{"timestamp":0,"value":"a"}]`, want: events(0, "a")},
		{name: "timestamp negative", annotations: `[{"timestamp":-3,"value":"a"}]`, want: events(-3, "a")},
		{name: "timestamp with a fraction, as text", annotations: `[{"timestamp":"1.6","value":"a"}]`, want: events(2, "a")},
		{name: "value with bars", annotations: `[{"timestamp":1,"value":"a|b|c"}]`, want: events(1, "a|b|c")},
		{name: "value empty", annotations: `[{"timestamp":1,"value":""}]`, want: events(1, "")},
		{name: "value a number", annotations: `[{"timestamp":1,"value":7}]`, want: events(1, "7")},
		{name: "value an object", annotations: `[{"timestamp":1,"value":{"event": "x"}}]`, want: events(1, `{"event":"x"}`)},
		{name: "unknown fields", annotations: `[{"timestamp":1,"value":"a","x":[{}],"y":"z"}]`, want: events(1, "a")},
		{name: "endpoint, in a span with tags", annotations: `[{"timestamp":1,"value":"a","endpoint":null}]`, want: events(1, "a")},
		{name: "no timestamp", annotations: `[{"value":"a"}]`, reason: ReasonAnnotation},
		{name: "timestamp null", annotations: `[{"timestamp":null,"value":"a"}]`, reason: ReasonAnnotation},
		{name: "no value", annotations: `[{"timestamp":1}]`, reason: ReasonAnnotation},
		{name: "value null", annotations: `[{"timestamp":1,"value":null}]`, reason: ReasonAnnotation},
		{name: "empty object", annotations: `[{}]`, reason: ReasonAnnotation},
		{name: "timestamp not a number", annotations: `[{"timestamp":"x","value":"a"}]`, reason: ReasonAnnotation},
		{name: "timestamp too late", annotations: `[{"timestamp":9223372036854776,"value":"a"}]`, reason: ReasonAnnotation},
		{name: "element that is text", annotations: `["cs"]`, reason: ReasonAnnotation},
		{name: "an object", annotations: `{"a":1}`, reason: ReasonAnnotation},
		{name: "text", annotations: `"cs"`, reason: ReasonAnnotation},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkFields(t, `"annotations":`+c.annotations, func(s *spandrel.Span) { s.Events = c.want }, c.reason)
		})
	}
}

func TestEndpoints(t *testing.T) {
	v6 := netip.MustParseAddr("2001:db8::c001")
	for _, c := range []struct {
		name, endpoint string
		want           spandrel.Endpoint
		reason         string
	}{
		{name: "null", endpoint: `null`},
		{name: "empty", endpoint: `{}`},
		{name: "empty, as PHP says it", endpoint: `[]`},
		{name: "all fields null", endpoint: `{"serviceName":null,"ipv4":null,"ipv6":null,"port":null}`},
		{name: "Envoy's", endpoint: `{"ipv4":"1.2.3.4","port":0,"serviceName":"webapp.istioinaction"}`,
			want: spandrel.Endpoint{Service: "webapp.istioinaction", IPv4: ip4}},
		{name: "all fields", endpoint: `{"serviceName":"a","ipv4":"1.2.3.4","ipv6":"2001:db8::c001","port":9000}`,
			want: spandrel.Endpoint{Service: "a", IPv4: ip4, IPv6: v6, Port: 9000}},
		{name: "service keeps its case", endpoint: `{"serviceName":"Foo Bär"}`, want: spandrel.Endpoint{Service: "Foo Bär"}},
		{name: "service empty", endpoint: `{"serviceName":""}`},
		{name: "service a number", endpoint: `{"serviceName":7}`, want: spandrel.Endpoint{Service: "7"}},
		{name: "unknown fields", endpoint: `{"x":{"serviceName":"b"},"serviceName":"a"}`, want: spandrel.Endpoint{Service: "a"}},
		{name: "given twice, the last counts whole", endpoint: `{"serviceName":"a","port":1},"SIDE":{"port":2}`,
			want: spandrel.Endpoint{Port: 2}},

		{name: "IPv4 in the field of IPv6", endpoint: `{"ipv6":"1.2.3.4"}`, want: spandrel.Endpoint{IPv4: ip4}},
		{name: "IPv6 in the field of IPv4", endpoint: `{"ipv4":"2001:db8::c001"}`, want: spandrel.Endpoint{IPv6: v6}},
		{name: "both swapped", endpoint: `{"ipv6":"1.2.3.4","ipv4":"2001:db8::c001"}`, want: spandrel.Endpoint{IPv4: ip4, IPv6: v6}},
		{name: "two of IPv4, that of its own field counts", endpoint: `{"ipv6":"5.6.7.8","ipv4":"1.2.3.4"}`, want: spandrel.Endpoint{IPv4: ip4}},
		{name: "two of IPv6, that of its own field counts", endpoint: `{"ipv4":"::5","ipv6":"2001:db8::c001"}`, want: spandrel.Endpoint{IPv6: v6}},
		{name: "IPv6 in upper case, not compressed", endpoint: `{"ipv6":"2001:0DB8:0:0:0:0:0:C001"}`, want: spandrel.Endpoint{IPv6: v6}},
		{name: "mapped IPv4", endpoint: `{"ipv6":"::ffff:1.2.3.4"}`, want: spandrel.Endpoint{IPv4: ip4}},
		{name: "mapped IPv4 in hexadecimal", endpoint: `{"ipv6":"::ffff:102:304"}`, want: spandrel.Endpoint{IPv4: ip4}},
		{name: "compatible IPv4", endpoint: `{"ipv6":"::1.2.3.4"}`, want: spandrel.Endpoint{IPv4: ip4}},
		{name: "compatible IPv4 spelt with zeros", endpoint: `{"ipv6":"::0000:1.2.3.4"}`, want: spandrel.Endpoint{IPv4: ip4}},
		{name: "loopback of IPv6", endpoint: `{"ipv6":"::1"}`, want: spandrel.Endpoint{IPv6: netip.MustParseAddr("::1")}},
		{name: "almost loopback", endpoint: `{"ipv6":"::2"}`, want: spandrel.Endpoint{IPv6: netip.MustParseAddr("::2")}},
		{name: "almost mapped IPv4", endpoint: `{"ipv6":"::ffef:1.2.3.4"}`, want: spandrel.Endpoint{IPv6: netip.MustParseAddr("::ffef:102:304")}},
		{name: "address empty, as Kong sends it", endpoint: `{"ipv4":"","port":80}`, want: spandrel.Endpoint{Port: 80}},
		{name: "address with a zone", endpoint: `{"ipv6":"fe80::1%eth0"}`},
		{name: "address in brackets", endpoint: `{"ipv6":"[::1]"}`},
		{name: "address with a port", endpoint: `{"ipv4":"1.2.3.4:80"}`},
		{name: "address that is a host", endpoint: `{"ipv4":"localhost","serviceName":"a"}`, want: spandrel.Endpoint{Service: "a"}},
		{name: "address out of range", endpoint: `{"ipv4":"1.2.3.256"}`},
		{name: "address cut short", endpoint: `{"ipv4":"1.2.3"}`},
		{name: "address that is a number", endpoint: `{"ipv4":16909060}`},
		{name: "address that is a list", endpoint: `{"ipv4":[1,2,3,4]}`},

		{name: "port as text", endpoint: `{"port":"8080"}`, want: spandrel.Endpoint{Port: 8080}},
		{name: "port empty", endpoint: `{"port":""}`},
		{name: "port negative", endpoint: `{"port":-1}`},
		{name: "port the last", endpoint: `{"port":65535}`, want: spandrel.Endpoint{Port: 65535}},
		{name: "port with a fraction of zero", endpoint: `{"port":80.0}`, want: spandrel.Endpoint{Port: 80}},
		{name: "port in scientific notation", endpoint: `{"port":8e1}`, want: spandrel.Endpoint{Port: 80}},
		{name: "port too large", endpoint: `{"port":65536}`, reason: ReasonEndpoint},
		{name: "port with a fraction", endpoint: `{"port":80.5}`, reason: ReasonEndpoint},
		{name: "port with a fraction by its exponent", endpoint: `{"port":8055e-2}`, reason: ReasonEndpoint},
		{name: "port a name", endpoint: `{"port":"http"}`, reason: ReasonEndpoint},
		{name: "port a boolean", endpoint: `{"port":true}`, reason: ReasonEndpoint},
		{name: "service a list", endpoint: `{"serviceName":["a"]}`, reason: ReasonEndpoint},
		{name: "text", endpoint: `"a"`, reason: ReasonEndpoint},
		{name: "a list", endpoint: `[{}]`, reason: ReasonEndpoint},
		{name: "a number", endpoint: `1`, reason: ReasonEndpoint},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, side := range []string{"localEndpoint", "remoteEndpoint"} {
				fields := fmt.Sprintf("%q:%s", side, strings.ReplaceAll(c.endpoint, "SIDE", side))
				checkFields(t, fields, func(s *spandrel.Span) {
					if s.Local = c.want; side == "remoteEndpoint" {
						s.Local, s.Remote = s.Remote, s.Local
					}
				}, c.reason)
			}
		})
	}
}

// TestSpansShareNoRoomToGrow: a span's slices are cut from arrays of the whole
// body, and appending to one must not reach into the next.
func TestSpansShareNoRoomToGrow(t *testing.T) {
	body := postBodies(t, "bookinfo")[0]
	spans, _, err := new(Decoder).JSON(body, false)
	if err != nil {
		t.Fatal(err)
	}
	want, _, _ := new(Decoder).JSON(body, false)
	for i := range spans {
		_ = append(spans[i].Tags, tags("spoiled", "x")...)
		_ = append(spans[i].Events, events(1, "spoiled")...)
	}
	if diff := gocmp.Diff(spans, want, comparing); diff != "" {
		t.Errorf("after appending -, before +:\n%s", diff)
	}
}

// TestDecoderRemembersNothing decodes bodies of all kinds, bad ones too, with
// one Decoder, whose answers must be those of new ones.
func TestDecoderRemembersNothing(t *testing.T) {
	bodies := [][]byte{nil, []byte("null"), []byte(`[{"traceId":"1","id":"2","name":"n"}]`), []byte(`[{"traceId":"x"},{"id":"2"},`),
		[]byte(`[{"traceId":"1","id":"2","tags":{"b":"1","a":"2","b":"3"},"annotations":[{"timestamp":5,"value":"v"}]},{"traceId":"zz","id":"3"}]`),
		[]byte(`[{"traceId":"1","id":"2","annotations":[{"timestamp":1,"value":"sr","endpoint":{"serviceName":"s"}}]}]`)}
	bodies = append(append(bodies, postBodies(t, "bookinfo")...), bytes.Repeat([]byte(" "), 10))
	var d Decoder
	rng := rand.New(rand.NewPCG(5, 6))
	inProto := postBodies(t, "protobuf")
	for range 300 {
		body := bodies[rng.IntN(len(bodies))]
		used, fresh := func(b []byte) ([]spandrel.Span, []spandrel.Rejection, error) { return d.JSON(b, false) },
			func(b []byte) ([]spandrel.Span, []spandrel.Rejection, error) { return new(Decoder).JSON(b, false) }
		if rng.IntN(4) == 0 {
			body, used, fresh = inProto[rng.IntN(len(inProto))], d.Proto, new(Decoder).Proto
		}
		spans, rejected, err := used(body)
		want, wantRejected, wantErr := fresh(body)
		if diff := gocmp.Diff(spans, want, comparing); diff != "" {
			t.Fatalf("%.60q: in used memory -, in new +:\n%s", body, diff)
		}
		if len(rejected) != len(wantRejected) || (err == nil) != (wantErr == nil) {
			t.Fatalf("%.60q: in used memory %v, %v, in new %v, %v", body, rejected, err, wantRejected, wantErr)
		}
	}
}

// TestLargeBodiesTakeMemoryInProportion: one span of many tags, many spans of
// few, and a first span that is unlike the rest, which sizes are guessed from.
func TestLargeBodiesTakeMemoryInProportion(t *testing.T) {
	var many strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&many, `,"%d":0`, i)
	}
	wide := with(`"tags":{"a":0` + many.String() + `}`)
	for _, c := range []struct {
		name, body        string
		spans, tags, most int // most bytes allocated for a byte of the body
	}{
		{"one span of many tags", wide, 1, 20_001, 60},
		{"many spans", "[" + strings.Repeat(with("")+",", 20_000) + "null]", 20_000, 0, 80},
		{"a large span first", "[" + wide + strings.Repeat(","+with(`"tags":{"a":0}`), 1000) + "]", 1001, 21_001, 60},
		{"a small span first", "[" + with("") + "," + wide + "]", 2, 20_001, 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := []byte(c.body)
			var spans []spandrel.Span
			used := allocated(func() { spans, _, _ = new(Decoder).JSON(body, false) })
			n := 0
			for i := range spans {
				n += len(spans[i].Tags)
			}
			if len(spans) != c.spans || n != c.tags {
				t.Errorf("got %d spans with %d tags, want %d with %d", len(spans), n, c.spans, c.tags)
			}
			if got := int(used) / len(body); got > c.most {
				t.Errorf("allocated %d bytes for each of the body, want at most %d", got, c.most)
			}
		})
	}
}
