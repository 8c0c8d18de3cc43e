import { MessageSquare, TriangleAlert } from 'lucide-react';
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
  const { open, unread, underWay } = useStore(chat);
  const failed = !open && underWay.some(({ state }) => state === 'notSent');
  const badge = open ? 0 : unread;
  const { hide, open: show, openUnread, openNotSent } = texts.chat;
  const label = badge > 0 ? openUnread(SHORTCUT, badge) : show(SHORTCUT);
  return (
    <button
      ref={button}
      type="button"
      className="round-button tip chat-button"
      aria-label={open ? hide(SHORTCUT) : failed ? openNotSent(SHORTCUT) : label}
      aria-expanded={open}
      aria-controls={open ? 'chat' : undefined}
      data-testid="toggle-chat"
      onClick={onClick}
    >
      <MessageSquare aria-hidden="true" />
      {failed && <TriangleAlert className="round-button-mark" aria-hidden="true" />}
      {badge > 0 && !failed && (
        <span className="chat-badge" data-testid="chat-unread" aria-hidden="true">
          {badge > UNREAD_SHOWN_MAX ? texts.chat.manyUnread : badge}
        </span>
      )}
    </button>
  );
}

/** The same for who does not see the button. */
export function UnreadStatus({ chat }: { chat: ChatView }) {
  const { open, unread, underWay } = useStore(chat);
  const failed = underWay.some(({ state }) => state === 'notSent');
  return (
    <div className="visually-hidden" role="status">
      {!open && failed && <p>{texts.chat.someNotSent}</p>}
      {!open && unread > 0 && <p>{texts.chat.unread(unread)}</p>}
    </div>
  );
}
