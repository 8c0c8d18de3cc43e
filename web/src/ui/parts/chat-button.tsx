import { MessageSquare, TriangleAlert } from 'lucide-react';
import type { RefObject } from 'react';
import { useTranslation } from 'react-i18next';
import type { ChatView } from '../../state/chat-view';
import { shortcutText } from '../shortcut-text';
import { useStore } from '../use-store';

const UNREAD_SHOWN_MAX = 99;

interface ChatButtonProps {
  chat: ChatView;
  button: RefObject<HTMLButtonElement | null>;
  onClick: () => void;
}

/** Opens and closes the chat; says how much is unread. */
export function ChatButton({ chat, button, onClick }: ChatButtonProps) {
  const { t } = useTranslation();
  const { open, unread, underWay } = useStore(chat);
  const failed = !open && underWay.some(({ state }) => state === 'notSent');
  const badge = open ? 0 : unread;
  const shortcut = shortcutText(t, 'K');
  const label = () => {
    if (open) return t('chat.hide', { shortcut });
    if (failed) return t('chat.openNotSent', { shortcut });
    return badge > 0 ? t('chat.openUnread', { shortcut, count: badge }) : t('chat.open', { shortcut });
  };
  return (
    <button
      ref={button}
      type="button"
      className="round-button tip chat-button"
      aria-label={label()}
      aria-expanded={open}
      aria-controls={open ? 'chat' : undefined}
      data-testid="toggle-chat"
      onClick={onClick}
    >
      <MessageSquare aria-hidden="true" />
      {failed && <TriangleAlert className="round-button-mark" aria-hidden="true" />}
      {badge > 0 && !failed && (
        <span className="chat-badge" data-testid="chat-unread" aria-hidden="true">
          {badge > UNREAD_SHOWN_MAX ? t('chat.manyUnread', { number: UNREAD_SHOWN_MAX }) : badge}
        </span>
      )}
    </button>
  );
}

/** The same for who does not see the button. */
export function UnreadStatus({ chat }: { chat: ChatView }) {
  const { t } = useTranslation();
  const { open, unread, underWay } = useStore(chat);
  const failed = underWay.some(({ state }) => state === 'notSent');
  return (
    <div className="visually-hidden" role="status">
      {!open && failed && <p>{t('chat.someNotSent')}</p>}
      {!open && unread > 0 && <p>{t('chat.unread', { count: unread })}</p>}
    </div>
  );
}
