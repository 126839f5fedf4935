package memory_test

import (
	"testing"

	"github.com/spandrel/spandrel/storage"
	"github.com/spandrel/spandrel/storage/memory"
	"github.com/spandrel/spandrel/storage/storagetest"
)

func TestConformance(t *testing.T) {
	storagetest.Run(t, func(*testing.T) storage.Store { return memory.New(memory.Options{}) })
}
