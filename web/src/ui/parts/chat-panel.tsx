import '../styles/chat.css';
import { MessageSquare } from 'lucide-react';
import { memo, useLayoutEffect, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import type { FailureCode, OwnMessage } from '../../client';
import en from '../../locales/en.json';
import { groupMessages, type MessageGroup } from '../../state/chat-groups';
import { textParts } from '../../state/chat-text';
import type { ChatView } from '../../state/chat-view';
import { cleanName } from '../../state/names';
import type { Signals } from '../../state/signals';
import { useDates } from '../use-dates';
import { useStore } from '../use-store';
import { ChatComposer } from './chat-composer';
import { Panel } from './panel';

/** How far from its end, in pixels, a list counts as at its end. */
const AT_END_MAX = 24;

interface ChatPanelProps {
  chat: ChatView;
  signals: Signals;
  /** What those who are here are called. */
  names: ReadonlyMap<string, string>;
  /** Whether the hosts let one write. */
  mayWrite: boolean;
  onClose: () => void;
}

/** What people write to each other: beside the pictures, or over them where the window is narrow. */
export function ChatPanel({ chat, signals, names, mayWrite, onClose }: ChatPanelProps) {
  const { t } = useTranslation();
  const state = useStore(chat);
  const { messages, underWay } = state;
  const { list, content, atEnd, goToEnd } = useEndKept(chat, underWay);
  const groups = useMemo(() => groupMessages(messages), [messages]);
  const isEmpty = messages.length === 0 && underWay.length === 0;

  return (
    <Panel id="chat" title={t('chat.title')} closeLabel={t('chat.close')} onClose={onClose}>
      <div className="chat-middle">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: keyboards scroll it. */}
        <section ref={list} className="chat-list" tabIndex={0} aria-label={t('chat.messages')}>
          <div ref={content} className="chat-content">
            {isEmpty && (
              <div className="chat-empty">
                <MessageSquare aria-hidden="true" />
                <h3>{t('chat.emptyTitle')}</h3>
                <p>{t('chat.empty')}</p>
              </div>
            )}
            <div role="log" aria-label={t('chat.messages')} data-testid="chat-log">
              {groups.map((group) => (
                <Group
                  key={group.messages[0]?.number}
                  group={group}
                  name={names.get(group.participantId) ?? cleanName(group.name)}
                />
              ))}
            </div>
            {underWay.map((own) => (
              <UnderWay key={own.key} own={own} chat={chat} onSettled={() => list.current?.focus()} />
            ))}
          </div>
        </section>
        {state.unread > 0 && !atEnd.current && (
          <button
            type="button"
            className="button primary small chat-new"
            data-testid="chat-new"
            onClick={() => {
              goToEnd();
              list.current?.focus();
            }}
          >
            {t('chat.newMessages')}
          </button>
        )}
      </div>
      <Typing signals={signals} names={names} />
      <ChatComposer chat={chat} signals={signals} mayWrite={mayWrite} onSend={goToEnd} />
    </Panel>
  );
}

/** Who writes at the moment. */
function Typing({ signals, names }: { signals: Signals; names: ReadonlyMap<string, string> }) {
  const { t } = useTranslation();
  const { typing } = useStore(signals);
  const [first, second, ...others] = [...typing].flatMap((id) => names.get(id) ?? []);
  return (
    <p className="chat-typing" aria-live="off" data-testid="typing">
      {others.length > 0
        ? t('chat.typingSeveral')
        : second
          ? t('chat.typingTwo', { first, second })
          : first && t('chat.typingOne', { name: first })}
    </p>
  );
}

/** Keeps a list at its end while it is there, whatever is added and however the window changes. */
function useEndKept(chat: ChatView, underWay: readonly OwnMessage[]) {
  const list = useRef<HTMLElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);

  const goToEnd = () => {
    atEnd.current = true;
    if (list.current) list.current.scrollTop = list.current.scrollHeight;
    chat.scrolled(true);
  };

  // biome-ignore lint/correctness/useExhaustiveDependencies: what one wrote oneself is at the end.
  useLayoutEffect(() => {
    if (atEnd.current && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [underWay]);

  useLayoutEffect(() => {
    const element = list.current;
    if (!element || !content.current) return;
    const follow = () => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
    };
    const scrolled = () => {
      const now = element.scrollHeight - element.scrollTop - element.clientHeight <= AT_END_MAX;
      if (now === atEnd.current) return;
      atEnd.current = now;
      chat.scrolled(now);
    };
    follow();
    const observer = new ResizeObserver(follow);
    observer.observe(element);
    observer.observe(content.current);
    element.addEventListener('scroll', scrolled, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', scrolled);
    };
  }, [chat]);

  return { list, content, atEnd, goToEnd };
}

function Group({ group, name }: { group: MessageGroup; name: string }) {
  const { t } = useTranslation();
  const { time, dateAndTime } = useDates();
  const { own, timeMs, afterGap, messages } = group;
  return (
    <>
      {afterGap && <p className="chat-gap">{t('chat.gap')}</p>}
      <article className={`chat-group ${own ? 'own' : ''}`} data-own={own}>
        <p className="chat-by">
          <bdi className="chat-name">{own ? t('meeting.you') : name}</bdi>{' '}
          <time dateTime={new Date(timeMs).toISOString()}>{(isToday(timeMs) ? time : dateAndTime).format(timeMs)}</time>
        </p>
        {messages.map(({ number, text }) => (
          <MessageText key={number} text={text} number={number} />
        ))}
      </article>
    </>
  );
}

const MessageText = memo(({ text, number }: { text: string; number?: number }) => (
  <p className="chat-text" dir="auto" data-testid={number ? 'chat-message' : undefined} data-number={number}>
    {textParts(text).map(({ text: part, href }, place) =>
      href ? (
        // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a message never change.
        <a key={place} href={href} target="_blank" rel="noopener noreferrer">
          {part}
        </a>
      ) : (
        part
      ),
    )}
  </p>
));

/** What one wrote oneself and the room does not have yet. */
function UnderWay({ own, chat, onSettled }: { own: OwnMessage; chat: ChatView; onSettled: () => void }) {
  const { t } = useTranslation();
  const { key, text, state, failure } = own;
  // The button is gone then, and the focus would be with it.
  const settle = (how: 'retry' | 'remove') => {
    chat[how](key);
    onSettled();
  };
  return (
    <article className={`chat-group own ${state}`} data-testid="chat-own" data-state={state}>
      <MessageText text={text} />
      {state === 'sending' && <p className="chat-state">{t('chat.sending')}</p>}
      {failure && (
        <div className="chat-state" role="alert">
          <p>{t(`chat.notSent.${reasonOf(failure.code)}`, { reason: failure.message || failure.code })}</p>
          <button type="button" className="link-button" onClick={() => settle('retry')}>
            {t('chat.tryAgain')}
          </button>
          <button type="button" className="link-button" onClick={() => settle('remove')}>
            {t('chat.remove')}
          </button>
        </div>
      )}
    </article>
  );
}

type Reason = Extract<FailureCode, keyof typeof en.chat.notSent> | 'other';

/** Not every failure has words of its own: the server's, which are English, stand in for them. */
function reasonOf(code: FailureCode): Reason {
  return code in en.chat.notSent ? (code as Reason) : 'other';
}

function isToday(timeMs: number): boolean {
  return new Date(timeMs).toDateString() === new Date().toDateString();
}
