import { MessageSquare } from 'lucide-react';
import type { RefObject } from 'react';
import { isApple } from '../../state/browser';
import type { ChatView } from '../../state/chat-view';
import { texts } from '../texts';
import { useStore } from '../use-store';

const UNREAD_SHOWN_MAX = 99;
const SHORTCUT = `${isApple() ? texts.controls.commandKey : texts.controls.controlKey}K`;

interface ChatButtonProps {
  chat: ChatView;
  button: RefObject<HTMLButtonElement | null>;
  onClick: () => void;
}

/** Opens and closes the chat; says how much is unread. */
export function ChatButton({ chat, button, onClick }: ChatButtonProps) {
  const { open, unread } = useStore(chat);
  const badge = open ? 0 : unread;
  const { hide, open: show, openUnread } = texts.chat;
  const label = badge > 0 ? openUnread(SHORTCUT, badge) : show(SHORTCUT);
  return (
    <button
      ref={button}
      type="button"
      className="round-button tip chat-button"
      aria-label={open ? hide(SHORTCUT) : label}
      aria-expanded={open}
      aria-controls={open ? 'chat' : undefined}
      data-testid="toggle-chat"
      onClick={onClick}
    >
      <MessageSquare aria-hidden="true" />
      {badge > 0 && (
        <span className="chat-badge" data-testid="chat-unread" aria-hidden="true">
          {badge > UNREAD_SHOWN_MAX ? texts.chat.manyUnread : badge}
        </span>
      )}
    </button>
  );
}

/** The same for who does not see the button. */
export function UnreadStatus({ chat }: { chat: ChatView }) {
  const { open, unread } = useStore(chat);
  return (
    <p className="visually-hidden" role="status">
      {!open && unread > 0 ? texts.chat.unread(unread) : ''}
    </p>
  );
}
