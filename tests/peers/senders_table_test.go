package peers

import (
	"slices"
	"strings"
	"time"

	"github.com/openzipkin/zipkin-go/proto/zipkin_proto3"
	"github.com/openzipkin/zipkin-go/reporter"
)

// senders are the libraries, and what must be shown of the stories they tell.
var senders = []sender{
	{"zipkin-go, JSON", "0000000000000001c0ffee0000000000", zipkinGo(reporter.JSONSerializer{}),
		"zipkin_json_v2", 1, 202, lowerCase(zipkinGoStory)},
	{"zipkin-go, protobuf", "0000000000000002c0ffee0000000000", zipkinGo(zipkin_proto3.SpanSerializer{}),
		"zipkin_proto", 1, 202, zipkinGoStory},
	{"OpenTelemetry for Go", "0000000000000003c0ffee0000000000", otelGo(viaZipkin),
		"zipkin_json_v2", 3, 202, otelGoStory},
	{"OpenTelemetry for JavaScript", "0000000000000004c0ffee0000000000", node("otel.cjs", "/api/v2/spans", "@opentelemetry/exporter-zipkin", "ZipkinExporter"),
		"zipkin_json_v2", 3, 202, otelJSStory},
	{"zipkin for JavaScript, v1", "c0ffee0000000005", node("zipkin.cjs", "/api/v1/spans", "JSON_V1"),
		"zipkin_json_v1", 1, 202, zipkinJSStory},
	{"zipkin for JavaScript, v2", "0000000000000006c0ffee0000000000", node("zipkin.cjs", "/api/v2/spans", "JSON_V2"),
		"zipkin_json_v2", 1, 202, zipkinJSStory},
	{"py_zipkin, v1", "c0ffee0000000007", python("V1_JSON"),
		"zipkin_json_v1", 2, 202, pyZipkinStory},
	{"py_zipkin, v2", "0000000000000008c0ffee0000000000", python("V2_JSON"),
		"zipkin_json_v2", 2, 202, pyZipkinStory},
	{"py_zipkin, protobuf", "0000000000000009c0ffee0000000000", python("V2_PROTO3"),
		"zipkin_proto", 2, 202, pyZipkinStory},
	{"OpenTelemetry for Go, OTLP by gRPC", "0000000000000010c0ffee0000000000", otelGo(viaGRPC),
		"otlp_grpc", 3, 200, otlpGoStory},
	{"OpenTelemetry for Go, OTLP by HTTP", "0000000000000011c0ffee0000000000", otelGo(viaHTTP),
		"otlp_proto", 3, 200, otlpGoStory},
	{"OpenTelemetry for JavaScript, OTLP in JSON", "0000000000000012c0ffee0000000000",
		node("otel.cjs", "/v1/traces", "@opentelemetry/exporter-trace-otlp-http", "OTLPTraceExporter"),
		"otlp_json", 3, 200, otlpJSStory},
	{"OpenTelemetry for JavaScript, OTLP in protobuf", "0000000000000013c0ffee0000000000",
		node("otel.cjs", "/v1/traces", "@opentelemetry/exporter-trace-otlp-proto", "OTLPTraceExporter"),
		"otlp_proto", 3, 200, otlpJSStory},
}

const eighth = time.Second / 8

// lowerCase is the story as zipkin-go writes it in JSON: names of spans and
// services in lower case.
func lowerCase(story []told) []told {
	story = slices.Clone(story)
	for i := range story {
		x := &story[i]
		x.Name, x.Parent, x.Service = strings.ToLower(x.Name), strings.ToLower(x.Parent), strings.ToLower(x.Service)
		if peer, ok := x.Tags["peer.service"].(string); ok {
			x.Tags = mapWith(x.Tags, "peer.service", strings.ToLower(peer))
		}
	}
	return story
}

func mapWith(m map[string]any, key string, value any) map[string]any {
	out := map[string]any{key: value}
	for k, v := range m {
		if k != key {
			out[k] = v
		}
	}
	return out
}

// The server's half has the client's id.
var zipkinGoStory = []told{
	{"POST /Bücher/{Id}", "", "Frontend", 0, 8 * eighth, map[string]any{
		"span.kind": "client", "http.status_code": "503", "Mixed.Case": "VaLuE",
		"net.host.ip": "192.0.2.1", "net.host.port": int64(8080),
		"peer.service": "Kasse", "net.peer.ip": "2001:db8::2", "net.peer.port": int64(9090),
	}, []string{"125ms Gesendet ✓"}},
	{"Bücher annehmen", "POST /Bücher/{Id}", "Kasse", 2 * eighth, 6 * eighth, map[string]any{
		"span.kind": "server", "empty": "", "net.host.ip": "2001:db8::2", "net.host.port": int64(9090),
	}, nil},
	{"Lager prüfen", "Bücher annehmen", "Kasse", 3 * eighth, 5 * eighth, map[string]any{
		"error": []any{"Lager: 空 😀", true}, "otel.status_code": "ERROR",
		"net.host.ip": "2001:db8::2", "net.host.port": int64(9090),
	}, []string{"500ms leer"}},
}

// Attributes of the resource are tags. The exporter names the peer once more,
// in lower case: one name is the tag's, the other the remote endpoint's.
var otelGoStory = lowerCase([]told{
	{"POST /Bücher/{Id}", "", "Frontend", 0, 8 * eighth, map[string]any{
		"span.kind": "client", "http.status_code": "503", "Mixed.Case": "VaLuE", "list": "[1,2]",
		"peer.service": []any{"Kasse", "kasse"}, "error": true, "otel.status_code": "ERROR",
		"service.name": "Frontend", "host.name": "Go-1", "otel.scope.name": "Shop", "otel.scope.version": "1.2",
	}, []string{`125ms Gesendet ✓: {"bytes":12}`}},
	{"Bücher annehmen", "POST /Bücher/{Id}", "Kasse", 2 * eighth, 6 * eighth, map[string]any{
		"span.kind": "server", "empty": "", "secure": "false", "otel.status_code": "OK",
		"service.name": "Kasse", "host.name": "Go-1", "otel.scope.name": "Shop", "otel.scope.version": "1.2",
	}, nil},
	{"Lager prüfen", "Bücher annehmen", "Kasse", 3 * eighth, 5 * eighth, map[string]any{
		"error": []any{"Lager: 空 😀", true}, "otel.status_code": "ERROR",
		"service.name": "Kasse", "host.name": "Go-1", "otel.scope.name": "Shop", "otel.scope.version": "1.2",
	}, []string{"500ms leer"}},
})

// The last span began at a fraction of a microsecond, which is rounded.
var otelJSStory = []told{
	{"POST /Bücher/{Id}", "", "Frontend", 0, 8 * eighth, map[string]any{
		"span.kind": "client", "http.status_code": "503", "Mixed.Case": "VaLuE", "list": "1,2",
		"service.name": "Frontend", "host.name": "Node-1",
	}, []string{"125ms Gesendet ✓"}},
	{"Bücher annehmen", "POST /Bücher/{Id}", "Kasse", 2 * eighth, 6 * eighth, map[string]any{
		"span.kind": "server", "empty": "", "secure": "false", "otel.status_code": "OK",
		"service.name": "Kasse", "host.name": "Node-1",
	}, nil},
	{"Lager prüfen", "Bücher annehmen", "Kasse", 3*eighth + time.Microsecond, 5 * eighth, map[string]any{
		"error": []any{"Lager: 空 😀", true}, "otel.status_code": "ERROR",
		"service.name": "Kasse", "host.name": "Node-1",
	}, []string{"500ms leer"}},
}

// OTLP keeps types, and the resource is the process, whose tags are shown apart.
var otlpGoStory = []told{
	{"POST /Bücher/{Id}", "", "Frontend", 0, 8 * eighth, map[string]any{
		"span.kind": "client", "http.status_code": int64(503), "Mixed.Case": "VaLuE", "list": "[1,2]",
		"peer.service": "Kasse", "error": true, "otel.status_code": "ERROR",
		"process.host.name": "Go-1", "otel.scope.name": "Shop", "otel.scope.version": "1.2",
	}, []string{"125ms map[bytes:12 event:Gesendet ✓]"}},
	{"Bücher annehmen", "POST /Bücher/{Id}", "Kasse", 2 * eighth, 6 * eighth, map[string]any{
		"span.kind": "server", "empty": "", "secure": false, "otel.status_code": "OK",
		"process.host.name": "Go-1", "otel.scope.name": "Shop", "otel.scope.version": "1.2",
	}, nil},
	{"Lager prüfen", "Bücher annehmen", "Kasse", 3 * eighth, 5 * eighth, map[string]any{
		"span.kind": "internal", "error": true, "otel.status_code": "ERROR", "otel.status_description": "Lager: 空 😀",
		"process.host.name": "Go-1", "otel.scope.name": "Shop", "otel.scope.version": "1.2",
	}, []string{"500ms leer"}},
}

// The last span began at a fraction of a microsecond: Jaeger's start and duration
// are cut to whole ones.
var otlpJSStory = []told{
	{"POST /Bücher/{Id}", "", "Frontend", 0, 8 * eighth, map[string]any{
		"span.kind": "client", "http.status_code": int64(503), "Mixed.Case": "VaLuE", "list": "[1,2]",
		"process.host.name": "Node-1", "otel.scope.name": "Shop", "otel.scope.version": "1.2",
	}, []string{"125ms map[bytes:12 event:Gesendet ✓]"}},
	{"Bücher annehmen", "POST /Bücher/{Id}", "Kasse", 2 * eighth, 6 * eighth, map[string]any{
		"span.kind": "server", "empty": "", "secure": false, "otel.status_code": "OK",
		"process.host.name": "Node-1", "otel.scope.name": "Shop", "otel.scope.version": "1.2",
	}, nil},
	{"Lager prüfen", "Bücher annehmen", "Kasse", 3 * eighth, 5*eighth - time.Microsecond, map[string]any{
		"span.kind": "internal", "error": true, "otel.status_code": "ERROR", "otel.status_description": "Lager: 空 😀",
		"process.host.name": "Node-1", "otel.scope.name": "Shop", "otel.scope.version": "1.2",
	}, []string{"500ms leer"}},
}

// The server's half has the client's id. In version 1 its times are those of its
// annotations.
var zipkinJSStory = lowerCase([]told{
	{"POST /Bücher/{Id}", "", "Frontend", 0, 8 * eighth, map[string]any{
		"span.kind": "client", "http.status_code": "503", "Mixed.Case": "VaLuE",
		"net.host.ip": "192.0.2.1", "net.host.port": int64(8080),
		"peer.service": "Kasse", "net.peer.ip": "192.0.2.2", "net.peer.port": int64(9090),
	}, []string{"125ms Gesendet ✓"}},
	{"Bücher annehmen", "POST /Bücher/{Id}", "Kasse", 2 * eighth, 6 * eighth, map[string]any{
		"span.kind": "server", "empty": "", "net.host.ip": "192.0.2.2", "net.host.port": int64(9090),
		"net.peer.ip": "192.0.2.1", "net.peer.port": int64(40000),
	}, nil},
	{"Lager prüfen", "Bücher annehmen", "Kasse", 3 * eighth, 5 * eighth, map[string]any{
		"error": []any{"Lager: 空 😀", true}, "otel.status_code": "ERROR",
	}, []string{"500ms leer"}},
})

// The server's half has the client's id.
var pyZipkinStory = []told{
	{"POST /Bücher/{Id}", "", "Frontend", 0, 8 * eighth, map[string]any{
		"span.kind": "client", "http.status_code": "503", "Mixed.Case": "VaLuE",
		"net.host.ip": "192.0.2.1", "net.host.port": int64(8080),
		"peer.service": "Kasse", "net.peer.ip": "2001:db8::2", "net.peer.port": int64(9090),
	}, []string{"125ms Gesendet ✓"}},
	{"Bücher annehmen", "POST /Bücher/{Id}", "Kasse", 2 * eighth, 6 * eighth, map[string]any{
		"span.kind": "server", "empty": "", "net.host.ip": "2001:db8::2", "net.host.port": int64(9090),
	}, nil},
	{"Lager prüfen", "Bücher annehmen", "Kasse", 3 * eighth, 5 * eighth, map[string]any{
		"error": []any{"ValueError: Lager: 空 😀", true}, "otel.status_code": "ERROR",
		"net.host.ip": "2001:db8::2", "net.host.port": int64(9090),
	}, []string{"500ms leer"}},
}
