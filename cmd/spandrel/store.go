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
	if err := os.MkdirAll(s.DataDir, 0o700); err != nil {
		return s.unwritable(err)
	}
	limit := int64(s.MaxBytes)
	if limit == 0 {
		limit = shareOfVolume(s.DataDir)
	}
	s.log.Info("spans are kept on disk", "directory", s.DataDir, "for", s.SpanTTL.String(), "max_bytes", limit,
		"sync", s.Sync.String(), "until_exit", s.Ephemeral)
	store, err := badger.Open(s.DataDir, badger.Options{
		SyncInterval: time.Duration(s.Sync),
		Retention:    badger.Retention{MaxAge: s.SpanTTL, MaxBytes: limit},
		Logger:       s.log, Registerer: s.registry,
	})
	if err != nil {
		return s.unwritable(err)
	}
	s.store = store
	return nil
}

func (s *service) unwritable(err error) error {
	return fmt.Errorf("the data directory %s cannot be used by user %d: %w (BADGER_DIRECTORY_VALUE names another)", s.DataDir, os.Getuid(), err)
}
