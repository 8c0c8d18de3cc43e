import './styles/meeting.css';
import { PhoneOff, Users, WifiOff } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Meeting } from '../client';
import { ChatView } from '../state/chat-view';
import { MeetingView } from '../state/meeting-view';
import type { RoomSession } from '../state/room-session';
import { AloneCard } from './parts/alone-card';
import { AudioSinks } from './parts/audio-sinks';
import { Banner } from './parts/banner';
import { ChatButton, UnreadStatus } from './parts/chat-button';
import { ChatPanel } from './parts/chat-panel';
import { DeviceDialog } from './parts/device-dialog';
import { AskingForDevices, LostDevices } from './parts/device-problems';
import { MoreMenu } from './parts/more-menu';
import { NotSent } from './parts/not-sent';
import { Notices } from './parts/notices';
import { ScreenButton } from './parts/screen-button';
import { ScreenProblemBanner, SharingBar } from './parts/sharing-bar';
import { Stage } from './parts/stage';
import { ToggleButtons } from './parts/toggle-buttons';
import { useChatPanel } from './use-chat-panel';
import { useStore } from './use-store';
import { useWakeLock } from './use-wake-lock';

export function MeetingPage({ session, meeting }: { session: RoomSession; meeting: Meeting }) {
  const [views, setViews] = useState<{ view: MeetingView; chat: ChatView }>();

  useEffect(() => {
    // For whoever debugs a call, and for tests: statistics of its transports, producers and consumers.
    (globalThis as { hyperion?: Meeting }).hyperion = meeting;
    const opened = { view: new MeetingView(meeting), chat: new ChatView(meeting) };
    setViews(opened);
    return () => {
      opened.view.close();
      opened.chat.close();
      delete (globalThis as { hyperion?: Meeting }).hyperion;
    };
  }, [meeting]);

  return views ? <OpenMeeting session={session} {...views} /> : null;
}

interface OpenMeetingProps {
  session: RoomSession;
  view: MeetingView;
  chat: ChatView;
}

function OpenMeeting({ session, view, chat }: OpenMeetingProps) {
  const { t } = useTranslation();
  const state = useStore(view);
  const { speaker } = useStore(session.preferences);
  const [settings, setSettings] = useState(false);
  const main = useRef<HTMLElement>(null);
  const { participants, selfId } = state;
  const away = state.connection === 'reconnecting';
  const panel = useChatPanel(chat, settings);
  useWakeLock();

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
      className={`meeting ${away ? 'away' : ''} ${panel.open ? 'chatting' : ''}`}
      aria-label={t('meeting.title', { room: session.room })}
    >
      <div className="meeting-rest" inert={panel.covers}>
        <div className="meeting-middle">
          <SharingBar session={session} />
          <Stage view={view} session={session} />
        </div>
        <h1 className="meeting-name">{session.room}</h1>
        {participants.length === 1 && participants[0]?.id === selfId && <AloneCard room={session.room} />}
        {/* biome-ignore lint/a11y/useSemanticElements: these are buttons, not the fields of a form. */}
        <div className="meeting-controls" role="group" aria-label={t('controls.label')}>
          <ToggleButtons session={session} notSent={state.notSent} onProblem={() => setSettings(true)} />
          <ScreenButton session={session} />
          <ChatButton chat={chat} button={panel.button} onClick={panel.toggle} />
          <MoreMenu
            session={session}
            onSettings={() => setSettings(true)}
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
        <div className="meeting-people" title={t('meeting.count', { count: participants.length })}>
          <Users aria-hidden="true" />
          <span className="visually-hidden">{t('meeting.count', { count: participants.length })}</span>
          <span aria-hidden="true" data-testid="participant-count">
            {participants.length}
          </span>
        </div>
      </div>
      {panel.open && <ChatPanel chat={chat} names={state.names} onClose={panel.toggle} />}
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
        <ScreenProblemBanner session={session} />
        <NotSent session={session} view={view} />
        <AudioSinks sounds={sounds} speaker={speaker} />
      </div>
      <div className="meeting-corner">
        <Notices notices={state.notices} />
      </div>
      {settings && <DeviceDialog session={session} onClose={() => setSettings(false)} />}
    </main>
  );
}
