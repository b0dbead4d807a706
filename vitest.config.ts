import './test/support/node-version.js';
import { availableParallelism } from 'node:os';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

// Vite would load graphql's ES module and Node, for the packages that need it, its CommonJS one: "from another module or realm".
const resolve = { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] };

interface Options {
  testTimeout: number;
  hookTimeout: number;
  fileParallelism?: boolean;
}

function project(name: string, options: Options, folder = `test/${name}`): TestProjectInlineConfiguration {
  return { resolve, test: { name, include: [`${folder}/**/*.test.ts`], expect: { poll: { timeout: 10_000 } }, ...options } };
}

const moreThan95Percent = { branches: 95.01 };

export default defineConfig({
  test: {
    // Tests wait for the database as often as they compute; each worker may hold a pool of ten of its two hundred connections.
    maxWorkers: Math.min(8, availableParallelism()),
    globalSetup: 'test/support/global-setup.ts',
    projects: [
      project('unit', { testTimeout: 20_000, hookTimeout: 20_000 }),
      project('integration', { testTimeout: 60_000, hookTimeout: 60_000 }),
      project('client', { testTimeout: 60_000, hookTimeout: 90_000 }, 'client/test'),
      project('e2e', { testTimeout: 90_000, hookTimeout: 90_000 }),
      project('postgres', { testTimeout: 60_000, hookTimeout: 60_000 }),
      // One file at a time: each has several servers and a database to itself, and measures how fast they heal. Some start twenty servers.
      project('faults', { testTimeout: 300_000, hookTimeout: 120_000, fileParallelism: false }),
      project('storms', { testTimeout: 120_000, hookTimeout: 120_000, fileParallelism: false }),
      project('browser', { testTimeout: 120_000, hookTimeout: 120_000 }),
    ],
    // The counts of every run, for whoever adds them up.
    reporters: process.env['TEST_REPORT'] ? ['default', ['json', { outputFile: process.env['TEST_REPORT'] }]] : ['default'],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/graphiql/**'],
      reporter: ['text-summary', 'html', 'json-summary'],
      thresholds: {
        'src/tokens/**': moreThan95Percent,
        'src/keys/**': moreThan95Percent,
        'src/sessions/**': moreThan95Percent,
        'src/authorization/**': moreThan95Percent,
      },
    },
  },
});
