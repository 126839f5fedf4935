package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spandrel/spandrel/storage/badger"
)

// openBadger opens the store on disk, in a directory that it makes.
func (s *service) openBadger() (err error) {
	if s.Ephemeral {
		if s.DataDir, err = os.MkdirTemp("", "spandrel-"); err != nil {
			return fmt.Errorf("no temporary directory for the data: %w", err)
		}
	}
	limit := int64(s.MaxBytes)
	if limit == 0 {
		limit = shareOfVolume(s.DataDir)
	}
	s.maxBytes = limit
	s.log.Info("spans are kept on disk", "directory", s.DataDir, "for", s.SpanTTL.String(), "max_bytes", limit,
		"sync", s.Sync.String(), "until_exit", s.Ephemeral)
	store, err := badger.Open(s.DataDir, badger.Options{
		SyncInterval: time.Duration(s.Sync),
		Retention:    badger.Retention{MaxAge: s.SpanTTL, MaxBytes: limit},
		Logger:       s.log, Registerer: s.registry,
	})
	if err != nil {
		return fmt.Errorf("%w (BADGER_DIRECTORY_VALUE names another directory)", err)
	}
	s.store = store
	return nil
}
