// Package storagetest holds stores to the contract of package storage. A store
// passes when [Harness.Run] does; the named behaviours are its specification.
// They are those of Zipkin's storage test kit, as far as they are a store's
// business (what matches is decided span by span here), and the promises of
// package storage.
//
// Every behaviour is checked on spans as they were written, and again after
// the store moved them: flushed, sealed, reopened, written a second time,
// written one by one in another order, and written by a client that had to
// retry. The answers must be the same.
//
// [Generator] makes traffic like that of a service mesh, [RandomQuery] queries
// for it and [Oracle] the right answers; [RunHistory] lets two stores do the
// same random things and compares what they say.
package storagetest
