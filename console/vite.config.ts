// Builds the console into dist/console, with the hashes of its files in .vite/manifest.json.
import { defineConfig } from 'vite'

const source = (path: string) => new URL(`../src/${path}`, import.meta.url).pathname

export default defineConfig({
  root: import.meta.dirname,
  base: '/pages/console/',
  resolve: {
    alias: { '#crypto': source('lib/crypto/crypto-web.ts'), '#websocket': source('lib/io/websocket-web.ts') },
  },
  build: {
    outDir: '../dist/console',
    emptyOutDir: true,
    assetsDir: '.',
    manifest: true,
    target: 'es2022',
    // The polyfill would be an inline script in old browsers, which the Content-Security-Policy refuses
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: [source('../console/main.tsx'), source('../console/style.css')],
      // zod would compile its parsers from text, which the Content-Security-Policy refuses
      output: { banner: 'globalThis.__zod_globalConfig = { jitless: true };' },
    },
  },
})
