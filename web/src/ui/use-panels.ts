import { type RefObject, useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { shortcut } from '../state/browser';
import type { ChatView } from '../state/chat-view';
import { useStore } from './use-store';

/** Where a panel covers the page; the same width as in panel.css. */
const SHEET = '(max-width: 959px)';

export type Panel = 'chat' | 'people';

export interface Panels {
  /** The one that is open. */
  open: Panel | undefined;
  /** Whether it covers the page. */
  covers: boolean;
  chatButton: RefObject<HTMLButtonElement | null>;
  peopleButton: RefObject<HTMLButtonElement | null>;
  toggle: (panel: Panel) => void;
}

/** Opens and closes what is beside the stage, the chat by its key too unless a dialog is in front, and gives the focus back. */
export function usePanels(chat: ChatView, inFront: boolean): Panels {
  const { open: chatOpen, underWay } = useStore(chat);
  const [peopleOpen, setPeopleOpen] = useState(false);
  const unsent = underWay.some(({ state }) => state === 'sending');
  const chatButton = useRef<HTMLButtonElement>(null);
  const peopleButton = useRef<HTMLButtonElement>(null);
  const opener = useRef<Element>(null);
  const isSheet = useMedia(SHEET);
  const open = chatOpen ? 'chat' : peopleOpen ? 'people' : undefined;
  const before = useRef<Panel>(undefined);

  const toggle = useCallback(
    (panel: Panel) => {
      if (!chat.get().open && !peopleOpen) opener.current = document.activeElement;
      if (panel === 'chat' || chat.get().open) chat.toggle();
      setPeopleOpen(panel === 'people' && !peopleOpen);
    },
    [chat, peopleOpen],
  );

  useEffect(() => {
    const closed = open === undefined ? before.current : undefined;
    before.current = open;
    // Whoever went on elsewhere meanwhile stays there.
    if (!closed || (document.activeElement && document.activeElement !== document.body)) return;
    const last = opener.current;
    const goBack = last instanceof HTMLElement && last.isConnected && last !== document.body;
    const button = closed === 'chat' ? chatButton : peopleButton;
    (goBack ? last : button.current)?.focus({ preventScroll: true });
  }, [open]);

  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (shortcut(event) !== 'chat') return;
      event.preventDefault();
      if (!inFront) toggle('chat');
    };
    window.addEventListener('keydown', pressed);
    return () => window.removeEventListener('keydown', pressed);
  }, [inFront, toggle]);

  // A reload would lose it; the browser asks.
  useEffect(() => {
    if (!unsent) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [unsent]);

  return { open, covers: open !== undefined && isSheet, chatButton, peopleButton, toggle };
}

function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const media = matchMedia(query);
      media.addEventListener('change', changed);
      return () => media.removeEventListener('change', changed);
    },
    () => matchMedia(query).matches,
  );
}
