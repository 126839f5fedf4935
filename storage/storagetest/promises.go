package storagetest

import "testing"

// promises are what a store does beside answering.
var promises = []struct {
	name string
	run  func(t *testing.T, h Harness)
}{}
