import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

/** What a page may take before it shows something, as it goes over the network. */
const BYTES_MAX = 250_000;

/** Fails a build whose first load is too large: all that index.html names, which is all that comes before the page. */
export const firstLoad: Plugin = {
  name: 'first-load',
  apply: 'build',
  writeBundle({ dir = '' }) {
    const page = readFileSync(join(dir, 'index.html'), 'utf8');
    const named = [...page.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css))"/g)].map(([, path = '']) => path);
    const bytes = ['index.html', ...named].reduce(
      (sum, path) => sum + gzipSync(readFileSync(join(dir, path))).length,
      0,
    );
    this.info(`first load: ${(bytes / 1_000).toFixed(1)} of ${BYTES_MAX / 1_000} kB gzip`);
    if (bytes > BYTES_MAX) {
      this.error(`the first load is ${bytes} bytes: import what is not needed at once when it is used`);
    }
  },
};
