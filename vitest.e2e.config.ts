import { defineConfig } from 'vitest/config';

// Whole labs with real processes. They mostly wait (leases, elections, boots): two files side by side keep two cores busy.
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Controls of the demo, side by side.
    maxConcurrency: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
