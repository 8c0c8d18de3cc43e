import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { BrowserContext } from '@playwright/test';

/**
 * With `HYPERION_WEB_DIST` (a folder, as `../web/dist`) pages and scripts come from there, under the server's own headers,
 * and not from what was built into it: whoever works on the web client need not build the server each time.
 */
export async function serveWebDist(context: BrowserContext): Promise<void> {
  const folder = process.env.HYPERION_WEB_DIST;
  if (!folder) return;
  await context.route('**/assets/*', async (route) => {
    const path = resolve(folder, `.${new URL(route.request().url()).pathname}`);
    await (existsSync(path) ? route.fulfill({ path }) : route.continue());
  });
  await context.route(/:\d+\/(r\/[^/]*)?(\?.*)?$/, async (route) => {
    if (route.request().resourceType() !== 'document') return route.continue();
    const response = await route.fetch();
    await route.fulfill(response.ok() ? { response, path: resolve(folder, 'index.html') } : { response });
  });
}
