package jaegerapi

import (
	"fmt"
	"io"
	"runtime/debug"
	"sync"
)

// sender sends a piece of an answer while the next is made.
type sender struct {
	full chan []byte // capacity 1
	sent chan sent   // capacity 1: there is one piece in the sender's hands, or here
}

// sent is a piece that can be used again, and how sending went so far.
type sent struct {
	piece []byte
	err   error
	fault string // of a panic
}

func newSender(out io.Writer) *sender {
	s := &sender{make(chan []byte, 1), make(chan sent, 1)}
	s.sent <- sent{piece: newPiece()}
	go func() {
		var last sent
		for last.piece = range s.full {
			if last.err == nil && last.fault == "" {
				last.send(out)
			}
			s.sent <- last
		}
	}()
	return s
}

func (s *sent) send(out io.Writer) {
	defer func() {
		if fault := recover(); fault != nil {
			s.fault = fmt.Sprintf("%v\n%s", fault, debug.Stack())
		}
	}()
	_, s.err = out.Write(s.piece)
}

// result is what those who make the answer are told; a panic is theirs.
func (s *sent) result() error {
	if s.fault != "" {
		panic(s.fault)
	}
	return gone(s.err)
}

// swap takes a piece to send and gives one to fill, when the one before is sent.
func (s *sender) swap(piece []byte) ([]byte, error) {
	before := <-s.sent
	s.full <- piece
	return before.piece[:0], before.result()
}

// end waits for the last piece.
func (s *sender) end() error {
	close(s.full)
	last := <-s.sent
	keepPiece(last.piece)
	return last.result()
}

// pieces are used again: an answer of some megabytes would leave as much as half
// a megabyte of them to the garbage collector.
var pieces sync.Pool

// newPiece has room for what comes before a flush, mostly.
func newPiece() []byte {
	if p, ok := pieces.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 0, flushSize+flushSize/8)
}

// keepPiece takes a piece back, unless a large span has made it much larger.
func keepPiece(piece []byte) {
	if cap(piece) >= flushSize && cap(piece) <= 2*flushSize {
		piece = piece[:0]
		pieces.Put(&piece)
	}
}
