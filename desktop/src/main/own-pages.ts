import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { protocol, type Session } from 'electron';
import { PAGES, type PageName } from '../shared/question';

const SCHEME = 'hyperion-page';
const HOST = 'own';

const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'; require-trusted-types-for 'script'";

const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };

/** Own pages have a scheme of their own, since files have more rights than pages need. To be called before the
 *  application is ready. */
export function registerOwnPages(): void {
  protocol.registerSchemesAsPrivileged([{ scheme: SCHEME, privileges: { standard: true, secure: true } }]);
}

export function addressOfPage(page: PageName): string {
  return `${SCHEME}://${HOST}/${page}.html`;
}

/** Serves the pages that were built into `folder`, and nothing else of it, to a session. */
export function serveOwnPages(session: Session, folder: string): void {
  const files = new Set([...PAGES.flatMap((page) => [`${page}.html`, `${page}.js`]), 'page.css', 'icon.svg']);
  session.protocol.handle(SCHEME, async (request) => {
    const { host, pathname } = new URL(request.url);
    const file = pathname.slice(1);
    if (host !== HOST || !files.has(file)) return new Response(null, { status: 404 });
    const type = TYPES[file.split('.').at(-1) as keyof typeof TYPES];
    return new Response(await readFile(join(folder, file)), {
      headers: {
        'content-type': type,
        'content-security-policy': CONTENT_SECURITY_POLICY,
        'x-content-type-options': 'nosniff',
      },
    });
  });
}
