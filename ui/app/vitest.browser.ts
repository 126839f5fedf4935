import { defineConfig } from "vitest/config";

// One browser and one server a file, one file at a time: the machine may be small.
export default defineConfig({ test: { include: ["test/**/*.test.ts"], fileParallelism: false, testTimeout: 90_000, hookTimeout: 90_000, expect: { poll: { timeout: 10_000 } } } });
