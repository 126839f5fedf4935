//go:build linux

// Command bench measures Spandrel beside the real Jaeger all-in-one, with
// Badger on disk, on the machine it runs on, and prints ratios.
//
// Both get the same posts, made by [storagetest.Generator] and written as an
// Envoy writes them, in turns: a slice to the one, then the same slice to the
// other. Whoever's turn it is not is stopped (SIGSTOP), and slices are made
// while both are, so that nobody's background work is at somebody else's
// expense or goes unseen. What Jaeger refuses is posted again until it takes
// it. Answers are compared with those of a naive scan over all spans posted.
//
//	make bench-peer                                     # 1M spans each
//	go run ./tests/bench -spans 100k                    # a shorter look
//	go run ./tests/bench -spandrel-only -spans 1M,3M,10M -profile cpu.prof
//
// Only relations are worth comparing between machines. Times of answers are
// those of one client, CPU is that of the server's process alone, and the
// generator, on the same cores, says what it took itself.
package main
