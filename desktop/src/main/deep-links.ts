import { resolve } from 'node:path';
import { app } from 'electron';
import { type DeepLink, readDeepLink, SCHEME } from '../shared/deep-link';

/** Makes `hyperion://` links open this application. */
export function claimDeepLinks(): void {
  // Of the installed package: what the system knows the application by.
  if (process.platform === 'linux') app.setDesktopName('hyperion.desktop');
  // Unpackaged, Electron itself is the program, and the folder with ours its first argument.
  if (app.isPackaged) app.setAsDefaultProtocolClient(SCHEME);
  else if (process.platform === 'win32')
    app.setAsDefaultProtocolClient(SCHEME, process.execPath, [resolve(app.getAppPath())]);
}

/** On a Mac, links come as events, also before the application is ready; elsewhere among a process's arguments. */
export function onOpenUrl(open: (link: DeepLink) => void): void {
  app.on('open-url', (event, url) => {
    event.preventDefault();
    const link = readDeepLink(url);
    if (link) open(link);
  });
}
