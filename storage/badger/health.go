package badger

import (
	"log/slog"
	"sync"
)

// trouble is something that keeps the store from taking writes.
type trouble int

const (
	troubleWAL trouble = iota
	troubleFlush
	troubles
)

var troubleNames = [troubles]string{"write-ahead log", "flush"}

// health remembers what is wrong and logs when that changes.
type health struct {
	log  *slog.Logger
	mu   sync.Mutex // guards errs
	errs [troubles]error
}

func (h *health) set(t trouble, err error) {
	h.mu.Lock()
	was := h.errs[t]
	h.errs[t] = err
	h.mu.Unlock()
	switch {
	case err != nil && (was == nil || was.Error() != err.Error()):
		h.log.Error("the store cannot take writes", "part", troubleNames[t], "error", err)
	case err == nil && was != nil:
		h.log.Info("the store takes writes again", "part", troubleNames[t])
	}
}

func (h *health) get(t trouble) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.errs[t]
}
