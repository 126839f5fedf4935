package collector

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// form is how an answer is written.
type form uint8

const (
	inText  form = iota
	inJSON       // OTLP's
	inProto      // OTLP's
	inGRPC       // OTLP's, and of whoever else sends gRPC
)

// The codes of gRPC that refusals have (google/rpc/code.proto).
var grpcCodes = map[int]int{
	http.StatusBadRequest:            3,  // INVALID_ARGUMENT
	http.StatusRequestTimeout:        4,  // DEADLINE_EXCEEDED
	http.StatusRequestEntityTooLarge: 8,  // RESOURCE_EXHAUSTED, for good unless RetryInfo says otherwise
	http.StatusNotFound:              12, // UNIMPLEMENTED
	http.StatusMethodNotAllowed:      12,
	http.StatusUnsupportedMediaType:  12,
	http.StatusInternalServerError:   13, // INTERNAL
	http.StatusServiceUnavailable:    14, // UNAVAILABLE
}

// retryInfo is the type of the detail that says when to try again, as Any has it.
const retryInfo = "type.googleapis.com/google.rpc.RetryInfo"

// refuse writes the refusal: as text, or else as a google.rpc.Status, which is
// what OTLP wants. What can be tried again says after how long.
func (f form) refuse(w http.ResponseWriter, bad *refusal) {
	code, again := grpcCodes[bad.status], bad.status == http.StatusServiceUnavailable
	if again && f != inGRPC {
		w.Header().Set("Retry-After", "1")
	}
	switch f {
	case inText:
		http.Error(w, bad.text, bad.status)
	case inJSON:
		writeBody(w, "application/json", bad.status, statusJSON(code, bad.text, again))
	case inProto:
		writeBody(w, "application/x-protobuf", bad.status, statusProto(code, bad.text, again))
	case inGRPC:
		writeGRPC(w, code, bad.text, statusProto(code, bad.text, again), nil)
	}
}

// export writes that an export was taken, but for the rejected spans, if any:
// an ExportTraceServiceResponse, empty where there is nothing to tell.
func (f form) export(w http.ResponseWriter, rejected *RejectedError) {
	n, text := 0, ""
	if rejected != nil {
		n, text = len(rejected.Rejected), rejected.Error()
	}
	if f == inJSON {
		writeBody(w, "application/json", http.StatusOK, exportJSON(n, text))
		return
	}
	message := exportProto(n, text)
	if f == inProto {
		writeBody(w, "application/x-protobuf", http.StatusOK, message)
		return
	}
	writeGRPC(w, 0, "", nil, append([]byte{0, 0, 0, byte(len(message) >> 8), byte(len(message))}, message...))
}

func writeBody(w http.ResponseWriter, contentType string, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone sends again what it cares for
}

// writeGRPC ends a call: a frame, if it succeeded, and how it ended, in trailers
// (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
func writeGRPC(w http.ResponseWriter, code int, text string, details, frame []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Trailer", "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin")
	w.WriteHeader(http.StatusOK)
	if frame != nil {
		_, _ = w.Write(frame) // as in writeBody
	}
	h.Set("Grpc-Status", strconv.Itoa(code))
	if code != 0 {
		h.Set("Grpc-Message", percentEncode(text))
		h.Set("Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(details))
	}
}

// percentEncode writes what is not printable ASCII as %XX.
func percentEncode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// statusProto is a google.rpc.Status (google/rpc/status.proto).
func statusProto(code int, text string, again bool) []byte {
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(code))
	b = protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), text)
	if again {
		any := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), retryInfo)
		any = append(any, "\x12\x04\x0a\x02\x08\x01"...) // value: RetryInfo{retry_delay: Duration{seconds: 1}}
		b = protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), any)
	}
	return b
}

// statusJSON is the same by protobuf's rules for JSON.
func statusJSON(code int, text string, again bool) []byte {
	type detail struct {
		Type  string `json:"@type"`
		Delay string `json:"retryDelay"`
	}
	status := struct {
		Code    int      `json:"code"`
		Message string   `json:"message"`
		Details []detail `json:"details,omitempty"`
	}{Code: code, Message: text}
	if again {
		status.Details = []detail{{retryInfo, "1s"}}
	}
	return marshal(status)
}

// exportProto is an ExportTraceServiceResponse
// (opentelemetry/proto/collector/trace/v1/trace_service.proto).
func exportProto(rejected int, text string) []byte {
	if rejected == 0 {
		return nil
	}
	partial := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(rejected))
	partial = protowire.AppendString(protowire.AppendTag(partial, 2, protowire.BytesType), text)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
}

// exportJSON is the same by protobuf's rules for JSON.
func exportJSON(rejected int, text string) []byte {
	type partial struct {
		Rejected int    `json:"rejectedSpans,string"`
		Message  string `json:"errorMessage"`
	}
	var response struct {
		Partial *partial `json:"partialSuccess,omitempty"`
	}
	if rejected > 0 {
		response.Partial = &partial{rejected, text}
	}
	return marshal(response)
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // text and numbers
	}
	return b
}
