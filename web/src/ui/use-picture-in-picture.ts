import { useCallback, useEffect, useState } from 'react';

/** A window that stays in front of all others (Document Picture-in-Picture), where the browser has it. */
interface DocumentPictureInPicture {
  requestWindow(options: { width: number; height: number }): Promise<Window>;
}

const SIZE = { width: 400, height: 300 };

function api(): DocumentPictureInPicture | undefined {
  return (globalThis as { documentPictureInPicture?: DocumentPictureInPicture }).documentPictureInPicture;
}

export interface PictureInPicture {
  isSupported: boolean;
  /** While it is open. */
  window: Window | undefined;
  toggle: () => void;
}

export function usePictureInPicture(title: string): PictureInPicture {
  const [opened, setOpened] = useState<Window>();

  const toggle = useCallback(() => {
    if (opened) {
      opened.close();
      return;
    }
    const open = async () => {
      const small = await api()?.requestWindow(SIZE);
      if (!small) return;
      small.document.title = title;
      small.document.documentElement.lang = document.documentElement.lang;
      for (const sheet of document.querySelectorAll<HTMLLinkElement>('link[rel="stylesheet"]')) {
        const copy = small.document.createElement('link');
        copy.rel = 'stylesheet';
        copy.href = sheet.href;
        small.document.head.append(copy);
      }
      small.addEventListener('pagehide', () => setOpened((now) => (now === small ? undefined : now)));
      setOpened(small);
    };
    // The browser lets pages open it only in the event of a click, and only once at a time.
    open().catch(() => {});
  }, [opened, title]);

  useEffect(() => () => opened?.close(), [opened]);

  return { isSupported: api() !== undefined, window: opened, toggle };
}
