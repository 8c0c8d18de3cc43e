import { type BrowserWindow, desktopCapturer, type Session } from 'electron';
import type { Source } from '../shared/question';
import { isOfServer } from './addresses';
import { ask } from './ask';

const PICTURE = { width: 320, height: 180 };
/** Of a desk with more windows the ones in front are shown. */
const SOURCES_MAX = 100;

export interface PickerOptions {
  folder: string;
  language: string;
  server: string;
  parent: BrowserWindow;
}

/** Answers `getDisplayMedia` of the server's page by asking which screen or window to share. One question at a time. */
export function answerDisplayMedia(session: Session, options: PickerOptions): void {
  let asking = false;
  session.setDisplayMediaRequestHandler(async ({ frame, securityOrigin, audioRequested }, callback) => {
    const isRight =
      frame !== null &&
      frame.parent === null &&
      isOfServer(securityOrigin, options.server) &&
      !options.parent.isDestroyed();
    if (asking || !isRight) {
      callback(null);
      return;
    }
    asking = true;
    try {
      callback(await choose(options, audioRequested));
    } finally {
      asking = false;
    }
  });
}

async function choose(options: PickerOptions, audioRequested: boolean): Promise<Electron.Streams | null> {
  const found = await desktopCapturer.getSources({ types: ['screen', 'window'], thumbnailSize: PICTURE });
  const sources = found.slice(0, SOURCES_MAX).map(
    ({ id, name, thumbnail }): Source => ({
      id,
      name,
      kind: id.startsWith('screen:') ? 'screen' : 'window',
      picture: thumbnail.isEmpty() ? '' : thumbnail.toDataURL(),
    }),
  );
  // What the system plays can be had on Windows only.
  const withSound = audioRequested && process.platform === 'win32';
  const answer = await ask({ page: 'picker', sources, withSound }, options);
  const chosen = found.find(({ id }) => id === answer?.id);
  if (!chosen) return null;
  return { video: chosen, ...(answer?.sound && { audio: 'loopback' }) };
}
