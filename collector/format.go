package collector

// Format is the form in which spans came.
type Format uint8

// The formats.
const (
	ZipkinJSONv2 Format = iota
	ZipkinJSONv1
	ZipkinProto
	OTLPGRPC
	OTLPProto
	OTLPJSON
	numFormats
)

// formats has what each format is called: here, in Jaeger's metrics (format)
// and in OpenTelemetry's (receiver and transport).
var formats = [numFormats]struct{ name, jaeger, receiver, transport string }{
	ZipkinJSONv2: {"zipkin_json_v2", "zipkin", "zipkin", "http_v2_json"},
	ZipkinJSONv1: {"zipkin_json_v1", "zipkin", "zipkin", "http_v1_json"},
	ZipkinProto:  {"zipkin_proto", "zipkin", "zipkin", "http_v2_proto"},
	OTLPGRPC:     {"otlp_grpc", "otlp", "otlp", "grpc"},
	OTLPProto:    {"otlp_proto", "otlp", "otlp", "http"},
	OTLPJSON:     {"otlp_json", "otlp", "otlp", "http"},
}

// String is the format as metric labels have it.
func (f Format) String() string { return formats[f].name }
