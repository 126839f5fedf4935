package jaegerapi

import (
	"errors"
	"strings"
	"testing"
)

// failing takes so many pieces, and none after that.
type failing struct {
	left int
	got  []string
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left == 0 {
		return 0, errors.New("gone")
	}
	f.left--
	f.got = append(f.got, string(p))
	return len(p), nil
}

func TestSenderSendsPiecesInOrder(t *testing.T) {
	out := &failing{left: 1000}
	s := newSender(out)
	piece := []byte("a")
	for i := range 500 {
		var err error
		if piece, err = s.swap(piece); err != nil {
			t.Fatal(err)
		}
		piece = append(piece, byte(i))
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	for i, got := range out.got[1:] {
		if got != string([]byte{byte(i)}) {
			t.Fatalf("piece %d is %q", i+1, got)
		}
	}
	if len(out.got) != 500 {
		t.Errorf("%d pieces were sent of 500", len(out.got))
	}
}

type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("fault") }

func TestPanicOfSendingIsTheHandlers(t *testing.T) {
	s := newSender(panicking{})
	_, _ = s.swap([]byte("a"))
	defer func() {
		if fault, _ := recover().(string); !strings.HasPrefix(fault, "fault\n") {
			t.Errorf("recovered %q", fault)
		}
	}()
	_ = s.end()
}

func TestSenderTellsThatTheClientIsGone(t *testing.T) {
	for taken := range 3 {
		out := &failing{left: taken}
		s := newSender(out)
		var err error
		swaps := 0
		for piece := []byte("a"); err == nil && swaps < 10; swaps++ {
			piece, err = s.swap(append(piece[:0], 'a'))
		}
		if !errors.Is(err, errClientGone) || swaps != taken+2 {
			t.Errorf("after %d pieces: %v at swap %d", taken, err, swaps)
		}
		if err := s.end(); !errors.Is(err, errClientGone) {
			t.Errorf("after %d pieces the end says %v", taken, err)
		}
	}
}
