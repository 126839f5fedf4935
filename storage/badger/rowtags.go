package badger

import (
	"encoding/binary"

	"github.com/spandrel/spandrel"
)

// rowKeys are the tag keys that rows name by a number, their place here: what
// Envoy's and OpenTelemetry's HTTP spans have. The list may only grow, at its
// end, up to 64 keys.
var rowKeys = [...]string{
	"component", "node_id", "zone", "guid:x-request-id", "http.url", "http.method",
	"http.protocol", "http.status_code", "user_agent", "request_size", "response_size",
	"response_flags", "downstream_cluster", "upstream_cluster", "upstream_cluster.name",
	"upstream_address", "peer.address", "error", "grpc.status_code", "grpc.message",
	"grpc.authority", "grpc.path", "grpc.content_type", "istio.canonical_revision",
	"istio.canonical_service", "istio.cluster_id", "istio.mesh_id", "istio.namespace",
	"http.path", "http.host", "http.route", "http.target", "http.scheme",
	"http.request.method", "http.response.status_code", "url.full", "url.path", "url.scheme",
	"server.address", "client.address", "network.protocol.version", "user_agent.original",
	"net.peer.name", "net.host.name", "rpc.system", "rpc.service", "rpc.method",
	"db.system", "db.statement", "db.operation", "db.name", "messaging.system",
	"messaging.destination.name", "error.type", "thread.name",
}

var errorKey = rowKey(errorTerm.key)

// rowKeySlots finds a key: 1 + its number, from where its hash is on; 0 = none.
var rowKeySlots = func() (slots [256]uint8) {
	for n, key := range rowKeys {
		h := rowKeyHash(key)
		for slots[h] != 0 {
			h++
		}
		slots[h] = uint8(n + 1)
	}
	return slots
}()

// rowKeyHash tells most of rowKeys apart.
func rowKeyHash(key string) uint8 {
	n := len(key)
	return uint8(n)*7 ^ key[n-1]*29 ^ key[n/2]*53 ^ key[n/4]*97
}

// rowKey is the number of a key, -1 = it has none.
func rowKey(key string) int {
	if key == "" {
		return -1
	}
	for h := rowKeyHash(key); ; h++ {
		switch n := rowKeySlots[h]; {
		case n == 0:
			return -1
		case rowKeys[n-1] == key:
			return int(n - 1)
		}
	}
}

// appendRowTags appends the tags as rows have them: a text under one of rowKeys
// is 1 + twice the key's number and the text; any other tag is twice the
// key's length, key, kind, value.
func appendRowTags(b []byte, tags []spandrel.Tag) []byte {
	b = binary.AppendUvarint(b, uint64(len(tags)))
	for i := range tags {
		t := &tags[i]
		number := -1
		if t.Value.Kind() == spandrel.ValueString {
			number = rowKey(t.Key)
		}
		if number >= 0 {
			b = append(b, byte(2*number+1))
		} else {
			b = append(binary.AppendUvarint(b, uint64(2*len(t.Key))), t.Key...)
			b = append(b, byte(t.Value.Kind()))
		}
		b = appendText(b, t.Value.Raw())
	}
	return b
}

// rowTags reads what appendRowTags wrote, into the memory of into.
func (d *decoder) rowTags(into []spandrel.Tag) []spandrel.Tag {
	n := d.tagCount()
	into = into[:0]
	if cap(into) < n {
		into = make([]spandrel.Tag, 0, n)
	}
	for range n {
		t := d.rowTag()
		value := spandrel.RawValue(t.kind, t.value)
		d.bad = d.bad || value.Kind() != t.kind
		into = append(into, spandrel.Tag{Key: t.key, Value: value})
	}
	return into
}

// tagCount reads how many tags follow, none where nothing is left: a row has no
// tags then.
func (d *decoder) tagCount() int {
	if len(d.b) == 0 {
		return 0
	}
	return d.count(2)
}

// rowTag is one tag of a row.
type rowTag struct {
	tagColumn
	number int // of the key, if it has one and the value is text, else -1
	value  string
}

// isError reports whether it is one of the tags that say whether a span failed.
func (t *rowTag) isError() bool {
	return t.number == errorKey || t.number < 0 && t.key == errorTerm.key
}

func (d *decoder) rowTag() rowTag {
	n := d.uvarint()
	if n&1 == 0 {
		key := alias(d.bytes(n / 2))
		return rowTag{tagColumn{key, spandrel.ValueKind(d.uint8())}, -1, d.text()}
	}
	if n /= 2; n >= uint64(len(rowKeys)) {
		d.bad, d.b = true, nil
		return rowTag{}
	}
	return rowTag{tagColumn{key: rowKeys[n]}, int(n), d.text()}
}
