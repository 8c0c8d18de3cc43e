import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { firstLoad } from './first-load.ts';

const server = 'http://127.0.0.1:4400';
const proxy = {
  '/api': { target: server },
  '/socket.io': { target: server, ws: true },
};

/** `….json?name` is what a catalogue calls its language, without its texts: the picker lists all, and loads none. */
const languageNames: Plugin = {
  name: 'language-names',
  transform: {
    filter: { id: /\/locales\/[^/]+\.json\?name$/ },
    handler: (json) => ({ code: `export const language = ${JSON.stringify(JSON.parse(json).language)};`, map: null }),
  },
};

export default defineConfig({
  plugins: [react(), languageNames, firstLoad],
  build: {
    target: 'es2023',
    // The content security policy allows no data: URLs for fonts and no inline code.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  server: { proxy },
  preview: { proxy },
  test: { include: ['src/**/*.test.ts'] },
});
