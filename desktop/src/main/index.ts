import { app } from 'electron';
import { type DeepLink, deepLinkIn } from '../shared/deep-link';
import { readServerAddress } from '../shared/server-address';
import { prepareToAsk } from './ask';
import { claimDeepLinks, onOpenUrl } from './deep-links';
import { Desktop } from './desktop';
import { registerOwnPages } from './own-pages';

/** Where the build puts everything: this file's folder. */
const FOLDER = __dirname;

// Root has no sandbox: with it nothing would start. Every window asks for one too.
if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox();
registerOwnPages();

let desktop: Desktop | undefined;
let early: DeepLink | undefined = deepLinkIn(process.argv);

function open(link: DeepLink | undefined): void {
  if (desktop) void desktop.open(link);
  else early = link ?? early;
}

// The first instance is told what a second one was started with, and shows it.
if (app.requestSingleInstanceLock()) {
  app.on('second-instance', (_event, args) => open(deepLinkIn(args)));
  app.on('activate', () => open(undefined));
  // Desktop decides: it may have something to ask first.
  app.on('window-all-closed', () => {});
  onOpenUrl(open);
  void app.whenReady().then(() => {
    // What Windows shows notifications of.
    app.setAppUserModelId('org.hyperion.desktop');
    claimDeepLinks();
    prepareToAsk(FOLDER);
    const typed = readServerAddress(app.commandLine.getSwitchValue('server'));
    desktop = new Desktop(FOLDER, 'server' in typed ? typed.server : undefined);
    open(early);
  });
} else {
  app.quit();
}
