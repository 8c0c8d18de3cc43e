// Builds dist/: the main process, the preload scripts and the own pages, each in one file.
import { cp, readFile, rm } from 'node:fs/promises';
import { build } from 'esbuild';

const { version } = JSON.parse(await readFile('package.json', 'utf8'));
const PAGES = ['choose', 'trust', 'unreachable', 'switch', 'picker'];
const common = { bundle: true, logLevel: 'warning', legalComments: 'none' };
// What Electron brings by itself.
const electron = { ...common, external: ['electron'], format: 'cjs', define: { VERSION: JSON.stringify(version) } };

await rm('dist', { recursive: true, force: true });
await Promise.all([
  build({
    ...electron,
    entryPoints: ['src/main/index.ts'],
    outfile: 'dist/main.cjs',
    platform: 'node',
    target: 'node18',
  }),
  build({
    ...electron,
    entryPoints: { 'server-page': 'src/preload/server-page.ts', 'own-page': 'src/preload/own-page.ts' },
    outdir: 'dist',
    outExtension: { '.js': '.cjs' },
    target: 'chrome114',
  }),
  build({
    ...common,
    entryPoints: [...PAGES.map((page) => `src/pages/${page}.ts`), 'src/pages/page.css'],
    outdir: 'dist/pages',
    format: 'iife',
    target: 'chrome114',
  }),
]);
for (const page of PAGES) await cp(`src/pages/${page}.html`, `dist/pages/${page}.html`);
await cp('../web/public/favicon.svg', 'dist/pages/icon.svg');
await cp('icons', 'dist/icons', { recursive: true });
