import { SendHorizontal } from 'lucide-react';
import { type KeyboardEvent, useLayoutEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { CHAT_UNDER_WAY_MAX } from '../../client';
import { bytesOf, CHAT_TEXT_BYTES_MAX } from '../../state/chat-text';
import type { ChatView } from '../../state/chat-view';
import type { Signals } from '../../state/signals';
import { useStore } from '../use-store';

/** From here on it is said how much is left. */
const LEFT_SHOWN_MAX = 500;
/** What an IME says of the keys that it takes, in browsers that end a composition before its last key (Safari). */
const KEY_OF_IME = 229;

interface ChatComposerProps {
  chat: ChatView;
  signals: Signals;
  /** Whether the hosts let one write. */
  mayWrite: boolean;
  onSend: () => void;
}

/** Where a message is written. */
export function ChatComposer({ chat, signals, mayWrite, onSend }: ChatComposerProps) {
  const { t } = useTranslation();
  const { draft, underWay } = useStore(chat);
  const input = useRef<HTMLTextAreaElement>(null);
  const left = CHAT_TEXT_BYTES_MAX - bytesOf(draft);
  const isFull = underWay.length >= CHAT_UNDER_WAY_MAX;

  // As high as what is in it, up to what the style allows.
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is in it is the draft.
  useLayoutEffect(() => {
    if (!input.current) return;
    input.current.style.height = 'auto';
    input.current.style.height = `${input.current.scrollHeight + 2}px`;
  }, [draft]);

  const send = () => {
    if (mayWrite && chat.send()) onSend();
    input.current?.focus();
  };
  const pressed = (event: KeyboardEvent) => {
    const { isComposing, keyCode } = event.nativeEvent;
    if (event.key !== 'Enter' || event.shiftKey || isComposing || keyCode === KEY_OF_IME) return;
    event.preventDefault();
    send();
  };

  const problem = !mayWrite
    ? t('chat.closed')
    : left < 0
      ? t('chat.over', { count: -left })
      : isFull
        ? t('chat.full')
        : undefined;
  return (
    <form
      className="chat-composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={input}
        className="input"
        dir="auto"
        rows={1}
        readOnly={!mayWrite}
        aria-label={t('chat.input')}
        aria-describedby="chat-hint chat-left"
        aria-invalid={left < 0}
        placeholder={t('chat.input')}
        enterKeyHint="send"
        data-testid="chat-input"
        value={draft}
        onChange={({ target }) => {
          chat.write(target.value);
          if (target.value !== '') signals.types();
        }}
        onKeyDown={pressed}
      />
      <button
        type="submit"
        className="round-button chat-send"
        aria-label={t('chat.send')}
        aria-disabled={draft.trim() === '' || problem !== undefined}
        data-testid="chat-send"
      >
        <SendHorizontal aria-hidden="true" />
      </button>
      <span id="chat-hint" className="visually-hidden">
        {t('chat.sendHint')}
      </span>
      <p id="chat-left" className={`chat-left ${problem ? 'over' : ''}`} data-testid="chat-left">
        {problem ?? (left <= LEFT_SHOWN_MAX ? t('chat.left', { count: left }) : '')}
      </p>
      {/* Said once, and not with each key. */}
      <p className="visually-hidden" role="status">
        {left < 0 ? t('chat.tooLong') : isFull ? t('chat.full') : ''}
      </p>
    </form>
  );
}
