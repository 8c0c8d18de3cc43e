import { PhoneOff } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { ChatView } from '../../state/chat-view';
import type { MeetingView } from '../../state/meeting-view';
import type { RoomSession } from '../../state/room-session';
import type { Signals } from '../../state/signals';
import type { Panels } from '../use-panels';
import type { PictureInPicture } from '../use-picture-in-picture';
import { useStore } from '../use-store';
import { ChatButton } from './chat-button';
import { HandButton } from './hand-button';
import { MoreMenu } from './more-menu';
import { MutedHint } from './muted-hint';
import { ReactionButton } from './reaction-button';
import { ScreenButton } from './screen-button';
import { ToggleButtons } from './toggle-buttons';

interface MeetingControlsProps {
  session: RoomSession;
  view: MeetingView;
  chat: ChatView;
  signals: Signals;
  panels: Panels;
  smallWindow: PictureInPicture;
  onSettings: () => void;
  onShortcuts: () => void;
}

/** The bar at the bottom of the meeting. */
export function MeetingControls(props: MeetingControlsProps) {
  const { session, view, chat, signals, panels, smallWindow, onSettings, onShortcuts } = props;
  const { t } = useTranslation();
  const { notSent } = useStore(view);
  return (
    // biome-ignore lint/a11y/useSemanticElements: these are buttons, not the fields of a form.
    <div className="meeting-controls" role="group" aria-label={t('controls.label')}>
      <MutedHint session={session} />
      <ToggleButtons session={session} notSent={notSent} onProblem={onSettings} />
      <ScreenButton session={session} />
      <HandButton view={view} />
      <ReactionButton signals={signals} />
      <ChatButton chat={chat} button={panels.chatButton} onClick={() => panels.toggle('chat')} />
      <MoreMenu
        session={session}
        smallWindow={smallWindow}
        signals={signals}
        onSettings={onSettings}
        onShortcuts={onShortcuts}
        onCopy={(copied) => view.say({ kind: copied ? 'copied' : 'notCopied' })}
      />
      <button
        type="button"
        className="round-button leave tip"
        aria-label={t('controls.leave')}
        data-testid="leave"
        onClick={() => session.leave()}
      >
        <PhoneOff aria-hidden="true" />
      </button>
    </div>
  );
}
