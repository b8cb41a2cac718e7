import { defineConfig } from 'vitest/config';

// Whole labs with real processes: one file at a time, so that two cores suffice and timings mean something.
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
