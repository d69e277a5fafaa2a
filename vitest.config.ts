import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: {
    alias: {
      '#crypto': new URL('./src/lib/crypto-node.ts', import.meta.url).pathname,
      '#websocket': new URL('./src/lib/websocket-node.ts', import.meta.url).pathname,
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
