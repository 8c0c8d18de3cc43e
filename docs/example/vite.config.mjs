// Vite is web's, and so are the client library and what it imports; nothing is installed here.
export default {
  cacheDir: '../../web/node_modules/.vite-example',
  server: { host: '127.0.0.1', port: 4410, strictPort: true, fs: { allow: ['.', '../../web'] } },
};
