import { useCallback, useEffect, useRef, useSyncExternalStore } from 'react';
import { shortcut } from '../state/browser';
import type { ChatView } from '../state/chat-view';
import { useStore } from './use-store';

/** Where the panel covers the page; the same width as in chat.css. */
const SHEET = '(max-width: 959px)';

/** Opens and closes the chat, by its key too unless a dialog is in front, and gives the focus back. */
export function useChatPanel(chat: ChatView, inFront: boolean) {
  const { open, underWay } = useStore(chat);
  const unsent = underWay.some(({ state }) => state === 'sending');
  const button = useRef<HTMLButtonElement>(null);
  const opener = useRef<Element>(null);
  const isSheet = useMedia(SHEET);
  const wasOpen = useRef(false);

  const toggle = useCallback(() => {
    if (!chat.get().open) opener.current = document.activeElement;
    chat.toggle();
  }, [chat]);

  useEffect(() => {
    const closed = wasOpen.current && !open;
    wasOpen.current = open;
    // Whoever went on elsewhere meanwhile stays there.
    if (!closed || (document.activeElement && document.activeElement !== document.body)) return;
    const before = opener.current;
    const goBack = before instanceof HTMLElement && before.isConnected && before !== document.body;
    (goBack ? before : button.current)?.focus({ preventScroll: true });
  }, [open]);

  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (shortcut(event) !== 'chat') return;
      event.preventDefault();
      if (!inFront) toggle();
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

  return { open, covers: open && isSheet, button, toggle };
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
