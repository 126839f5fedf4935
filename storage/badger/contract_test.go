package badger

import (
	"testing"

	"github.com/spandrel/spandrel/storage"
	"github.com/spandrel/spandrel/storage/storagetest"
)

func TestStoreKeepsTheContract(t *testing.T) {
	storagetest.Harness{
		Open: func(t *testing.T) storage.Store { return openStore(t, t.TempDir(), Options{}) },
		Reopen: func(t *testing.T, s storage.Store) storage.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return openStore(t, s.(*Store).dir, Options{})
		},
		Flush: func(t *testing.T, s storage.Store) { s.(*Store).flushNow() },
		Seal: func(t *testing.T, s storage.Store) {
			s.(*Store).sealNow()
			if n := len(s.(*Store).unsealed); n > 0 {
				t.Errorf("%d partitions were not sealed", n)
			}
		},
	}.Run(t)
}
