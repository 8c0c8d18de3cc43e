import { join } from 'node:path';
import { BrowserWindow, session } from 'electron';
import { ANSWER, QUESTION } from '../shared/channels';
import type { Answers, PageName, Question } from '../shared/question';
import { readAnswer } from '../shared/read-answer';
import { guardContents } from './guard-contents';
import { isFrom } from './ipc';
import { addressOfPage, serveOwnPages } from './own-pages';
import { hardened, withoutSpelling } from './web-preferences';

const PARTITION = 'own-pages';

const SIZES: Record<PageName, { width: number; height: number }> = {
  choose: { width: 520, height: 560 },
  trust: { width: 600, height: 680 },
  unreachable: { width: 520, height: 460 },
  switch: { width: 480, height: 380 },
  picker: { width: 860, height: 640 },
};

/** To be called once, when the application is ready. */
export function prepareToAsk(folder: string): void {
  const own = withoutSpelling(session.fromPartition(PARTITION));
  own.setPermissionRequestHandler((_contents, _permission, callback) => callback(false));
  own.setPermissionCheckHandler(() => false);
  serveOwnPages(own, join(folder, 'pages'));
}

/** Asks in a window of its own; `undefined` when it is closed without an answer. Over `parent`, which waits meanwhile. */
export function ask<P extends PageName>(
  question: Question & { page: P },
  { folder, language, parent }: { folder: string; language: string; parent?: BrowserWindow | undefined },
): Promise<Answers[P] | undefined> {
  const { page } = question;
  const address = addressOfPage(page);
  const window = new BrowserWindow({
    ...SIZES[page],
    show: false,
    title: 'Hyperion',
    resizable: page === 'picker' || page === 'trust',
    minimizable: parent === undefined,
    fullscreenable: false,
    autoHideMenuBar: true,
    ...(parent && { parent, modal: true }),
    webPreferences: hardened({ partition: PARTITION, preload: join(folder, 'own-page.cjs') }),
  });
  const { webContents } = window;
  guardContents(webContents, (to) => to === address);

  return new Promise((resolve) => {
    let answer: Answers[PageName] | undefined;
    const isHere = (from: string) => from === address;
    webContents.ipc.handle(QUESTION, (event) =>
      isFrom(event, webContents, isHere) ? { question, language } : undefined,
    );
    webContents.ipc.on(ANSWER, (event, value: unknown) => {
      if (!isFrom(event, webContents, isHere)) return;
      answer = readAnswer(question, value);
      if (answer !== undefined || value === undefined) window.close();
    });
    window.once('ready-to-show', () => window.show());
    window.once('closed', () => resolve(answer as Answers[P] | undefined));
    void window.loadURL(address);
  });
}
