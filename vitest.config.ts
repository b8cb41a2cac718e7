import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{src,lab}/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['test/e2e/**', 'node_modules/**'],
    pool: 'forks',
    // Most of the time is waiting for real programs and real time-outs, not work.
    maxWorkers: 4,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    passWithNoTests: false,
  },
});
