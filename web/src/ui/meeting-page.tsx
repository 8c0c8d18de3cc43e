import './styles/meeting.css';
import { PhoneOff, Settings, Users, WifiOff } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import type { Meeting } from '../client';
import { ChatView } from '../state/chat-view';
import { MeetingView } from '../state/meeting-view';
import type { RoomSession } from '../state/room-session';
import { AloneCard } from './parts/alone-card';
import { AudioSinks } from './parts/audio-sinks';
import { Banner } from './parts/banner';
import { ChatButton, UnreadStatus } from './parts/chat-button';
import { ChatPanel } from './parts/chat-panel';
import { CopyLinkButton } from './parts/copy-link';
import { DeviceDialog } from './parts/device-dialog';
import { AskingForDevices, LostDevices } from './parts/device-problems';
import { NotSent } from './parts/not-sent';
import { Notices } from './parts/notices';
import { Stage } from './parts/stage';
import { ToggleButtons } from './parts/toggle-buttons';
import { texts } from './texts';
import { useChatPanel } from './use-chat-panel';
import { useDesktop } from './use-desktop';
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
  const state = useStore(view);
  const { speaker } = useStore(session.preferences);
  const [settings, setSettings] = useState(false);
  const main = useRef<HTMLElement>(null);
  const { participants, selfId } = state;
  const away = state.connection === 'reconnecting';
  const panel = useChatPanel(chat, settings);
  useDesktop(session);
  useWakeLock();

  // The page before is gone and the focus with it: keyboards and screen readers go on here.
  useEffect(() => main.current?.focus(), []);

  const sounds = participants.flatMap(({ id, media }) =>
    [media.mic, media.screenAudio].flatMap((sound) =>
      sound?.track ? [{ key: sound.producerId, participantId: id, track: sound.track }] : [],
    ),
  );

  return (
    <main
      ref={main}
      tabIndex={-1}
      className={`meeting ${away ? 'away' : ''} ${panel.open ? 'chatting' : ''}`}
      aria-label={texts.meeting.title(session.room)}
    >
      <div className="meeting-rest" inert={panel.covers}>
        <Stage state={state} session={session} />
        <h1 className="meeting-name">{session.room}</h1>
        {participants.length === 1 && participants[0]?.id === selfId && <AloneCard room={session.room} />}
        {/* biome-ignore lint/a11y/useSemanticElements: these are buttons, not the fields of a form. */}
        <div className="meeting-controls" role="group" aria-label={texts.controls.label}>
          <ToggleButtons session={session} notSent={state.notSent} onProblem={() => setSettings(true)} />
          <button
            type="button"
            className="round-button tip"
            aria-label={texts.controls.settings}
            data-testid="settings"
            onClick={() => setSettings(true)}
          >
            <Settings aria-hidden="true" />
          </button>
          <ChatButton chat={chat} button={panel.button} onClick={panel.toggle} />
          <CopyLinkButton
            room={session.room}
            onCopy={(copied) => view.say({ kind: copied ? 'copied' : 'notCopied' })}
          />
          <button
            type="button"
            className="round-button leave tip"
            aria-label={texts.controls.leave}
            data-testid="leave"
            onClick={() => session.leave()}
          >
            <PhoneOff aria-hidden="true" />
          </button>
        </div>
        <div className="meeting-people" title={texts.meeting.count(participants.length)}>
          <Users aria-hidden="true" />
          <span className="visually-hidden">{texts.meeting.count(participants.length)}</span>
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
            <p>{texts.meeting.reconnecting}</p>
            <span className="spinner" aria-hidden="true" />
          </Banner>
        )}
        <AskingForDevices session={session} />
        <LostDevices session={session} />
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
