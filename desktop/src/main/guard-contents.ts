import { shell, type WebContents } from 'electron';
import { mayOpenOutside } from './addresses';

/** Keeps a page where it is: it goes only where `isRight` lets it, also in frames and by redirects, opens no window and
 *  embeds no other page. Links that want a window of their own go to the system's browser, over HTTPS only. */
export function guardContents(contents: WebContents, isRight: (address: string) => boolean): void {
  contents.on('will-frame-navigate', (event) => {
    if (!isRight(event.url)) event.preventDefault();
  });
  contents.on('will-redirect', (event) => {
    if (!isRight(event.url)) event.preventDefault();
  });
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.setWindowOpenHandler(({ url }) => {
    if (mayOpenOutside(url)) shell.openExternal(url).catch(() => {});
    return { action: 'deny' };
  });
}
