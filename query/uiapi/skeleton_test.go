package uiapi

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"text/tabwriter"
)

// decoded is a skeleton as a client reads it.
type decoded struct {
	head struct {
		skeletonHead
		Start, Duration float64
	}
	columns map[string][]float64
	ids     map[string][]uint64
}

// decode reads a skeleton as docs/ui-api.md says.
func decode(t testing.TB, b []byte) *decoded {
	t.Helper()
	if len(b) < 12 || string(b[:8]) != skeletonMagic {
		t.Fatalf("no skeleton: %.20q", b)
	}
	at := 12 + int(binary.LittleEndian.Uint32(b[8:]))
	d := &decoded{columns: make(map[string][]float64), ids: make(map[string][]uint64)}
	if at%8 != 0 {
		t.Errorf("columns begin at %d", at)
	}
	if err := json.Unmarshal(b[12:at], &d.head); err != nil {
		t.Fatal(err)
	}
	for _, c := range d.head.Columns {
		data := b[at+c.Offset:]
		if c.Offset%8 != 0 {
			t.Errorf("column %s is at %d", c.Name, c.Offset)
		}
		for i := range d.head.Rows {
			v := 0.0
			switch c.Type {
			case "u8":
				v = float64(data[i])
			case "u16":
				v = float64(binary.LittleEndian.Uint16(data[2*i:]))
			case "u32":
				v = float64(binary.LittleEndian.Uint32(data[4*i:]))
			case "i32":
				v = float64(int32(binary.LittleEndian.Uint32(data[4*i:])))
			case "f64":
				v = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
			case "u64":
				d.ids[c.Name] = append(d.ids[c.Name], binary.LittleEndian.Uint64(data[8*i:]))
				continue
			default:
				t.Fatalf("column %s is of type %s", c.Name, c.Type)
			}
			d.columns[c.Name] = append(d.columns[c.Name], v)
		}
	}
	return d
}

// dump is a skeleton as text: the header, then a line a row.
func dump(t testing.TB, b []byte) []byte {
	d := decode(t, b)
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimRight(b[12:12+binary.LittleEndian.Uint32(b[8:])], " "), "", " "); err != nil {
		t.Fatal(err)
	}
	out.WriteString("\n")
	w := tabwriter.NewWriter(&out, 0, 0, 1, ' ', 0)
	for _, c := range d.head.Columns {
		fmt.Fprintf(w, "%s\t", c.Name)
	}
	fmt.Fprintln(w)
	for i := range d.head.Rows {
		for _, c := range d.head.Columns {
			switch {
			case c.Type == "u64":
				fmt.Fprintf(w, "%016x\t", d.ids[c.Name][i])
			case c.Dict != "":
				fmt.Fprintf(w, "%s\t", d.head.Dicts[c.Dict][int(d.columns[c.Name][i])])
			default:
				fmt.Fprintf(w, "%v\t", d.columns[c.Name][i])
			}
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	return out.Bytes()
}
