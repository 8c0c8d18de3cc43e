import { fileURLToPath } from 'node:url';

// Vite is web's, and so are mediasoup-client and what it imports.
export default {
  cacheDir: '../../../web/node_modules/.vite-channels',
  resolve: {
    alias: {
      'mediasoup-client': fileURLToPath(new URL('../../../web/node_modules/mediasoup-client', import.meta.url)),
    },
  },
  server: { host: '127.0.0.1', strictPort: true, fs: { allow: ['.', '../../../web'] } },
};
