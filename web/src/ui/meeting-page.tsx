import './styles/meeting.css';
import { WifiOff } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Meeting, may } from '../client';
import { asksForHelp } from '../state/browser';
import { ChatView } from '../state/chat-view';
import { MeetingView } from '../state/meeting-view';
import type { RoomSession } from '../state/room-session';
import { Signals } from '../state/signals';
import { AloneCard } from './parts/alone-card';
import { AskedBanner } from './parts/asked-banner';
import { AudioSinks } from './parts/audio-sinks';
import { Banner } from './parts/banner';
import { UnreadStatus } from './parts/chat-button';
import { ChatPanel } from './parts/chat-panel';
import { DeviceDialog } from './parts/device-dialog';
import { AskingForDevices, LostDevices } from './parts/device-problems';
import { MeetingControls } from './parts/meeting-controls';
import { NotSent } from './parts/not-sent';
import { Notices } from './parts/notices';
import { PeopleButton } from './parts/people-button';
import { PeoplePanel } from './parts/people-panel';
import { ReactionStatus } from './parts/reaction-status';
import { ScreenProblemBanner, SharingBar } from './parts/sharing-bar';
import { ShortcutsDialog } from './parts/shortcuts-dialog';
import { StageSomewhere } from './parts/small-window';
import { useDesktop } from './use-desktop';
import { usePanels } from './use-panels';
import { usePictureInPicture } from './use-picture-in-picture';
import { usePushToTalk } from './use-push-to-talk';
import { useStore } from './use-store';
import { useWakeLock } from './use-wake-lock';

export interface MeetingPageProps {
  session: RoomSession;
  meeting: Meeting;
}

export function MeetingPage({ session, meeting }: MeetingPageProps) {
  const [views, setViews] = useState<{ view: MeetingView; chat: ChatView; signals: Signals }>();

  useEffect(() => {
    // For whoever debugs a call, and for tests: statistics of its transports, producers and consumers.
    (globalThis as { hyperion?: Meeting }).hyperion = meeting;
    const opened = { view: new MeetingView(meeting), chat: new ChatView(meeting), signals: new Signals(meeting) };
    setViews(opened);
    return () => {
      opened.view.close();
      opened.chat.close();
      opened.signals.close();
      delete (globalThis as { hyperion?: Meeting }).hyperion;
    };
  }, [meeting]);

  return views ? <OpenMeeting session={session} {...views} /> : null;
}

interface OpenMeetingProps {
  session: RoomSession;
  view: MeetingView;
  chat: ChatView;
  signals: Signals;
}

function OpenMeeting({ session, view, chat, signals }: OpenMeetingProps) {
  const { t } = useTranslation();
  const state = useStore(view);
  const { speaker } = useStore(session.preferences);
  const [dialog, setDialog] = useState<'settings' | 'shortcuts'>();
  const close = () => setDialog(undefined);
  const main = useRef<HTMLElement>(null);
  const { participants, selfId } = state;
  const self = participants.find(({ id }) => id === selfId);
  const away = state.connection === 'reconnecting';
  const panels = usePanels(chat, dialog !== undefined);
  const smallWindow = usePictureInPicture(session.room);
  usePushToTalk(session, dialog !== undefined);
  useDesktop(session);
  useWakeLock();

  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (asksForHelp(event)) setDialog((before) => before ?? 'shortcuts');
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);

  useEffect(
    () =>
      session.notAllowed.subscribe(() => {
        const tried = session.notAllowed.get();
        if (tried) view.say({ kind: 'notAllowed', what: tried.what });
      }),
    [session, view],
  );

  // The page before is gone and the focus with it: keyboards and screen readers go on here.
  useEffect(() => main.current?.focus(), []);

  const sounds = participants.flatMap(({ id, media }) =>
    (['mic', 'screenAudio'] as const).flatMap((source) => {
      const { producerId, track } = media[source] ?? {};
      return producerId && track ? [{ key: producerId, participantId: id, source, track }] : [];
    }),
  );

  return (
    <main
      ref={main}
      tabIndex={-1}
      className={`meeting ${away ? 'away' : ''} ${panels.open ? 'with-panel' : ''}`}
      aria-label={t('meeting.title', { room: session.room })}
    >
      <div className="meeting-rest" inert={panels.covers}>
        <h1 className="meeting-name">{session.room}</h1>
        {participants.length === 1 && participants[0]?.id === selfId && <AloneCard room={session.room} />}
        <MeetingControls
          session={session}
          view={view}
          chat={chat}
          signals={signals}
          panels={panels}
          smallWindow={smallWindow}
          onSettings={() => setDialog('settings')}
          onShortcuts={() => setDialog('shortcuts')}
        />
        <PeopleButton
          view={view}
          open={panels.open === 'people'}
          button={panels.peopleButton}
          onClick={() => panels.toggle('people')}
        />
        {/* After the controls, as there may be many tiles; what is seen is laid out by the style. */}
        <div className="meeting-middle">
          <SharingBar session={session} />
          <StageSomewhere view={view} session={session} signals={signals} smallWindow={smallWindow} />
        </div>
      </div>
      {panels.open === 'chat' && (
        <ChatPanel
          chat={chat}
          signals={signals}
          names={state.names}
          mayWrite={may(self, 'chat', state.settings)}
          onClose={() => panels.toggle('chat')}
        />
      )}
      {panels.open === 'people' && <PeoplePanel view={view} onClose={() => panels.toggle('people')} />}
      <UnreadStatus chat={chat} />
      <div className="meeting-banners">
        {away && (
          <Banner role="alert" testId="connection-banner">
            <WifiOff aria-hidden="true" />
            <p>{t('meeting.reconnecting')}</p>
            <span className="spinner" aria-hidden="true" />
          </Banner>
        )}
        <AskingForDevices session={session} />
        <LostDevices session={session} />
        <AskedBanner session={session} view={view} />
        <ScreenProblemBanner session={session} />
        <NotSent session={session} view={view} />
        <AudioSinks sounds={sounds} speaker={speaker} />
      </div>
      <div className="meeting-corner">
        <Notices notices={state.notices} />
        <ReactionStatus signals={signals} selfId={selfId} names={state.names} />
      </div>
      {dialog === 'settings' && <DeviceDialog session={session} onClose={close} />}
      {dialog === 'shortcuts' && <ShortcutsDialog onClose={close} />}
    </main>
  );
}
