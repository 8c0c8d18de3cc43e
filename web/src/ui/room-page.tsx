import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { shortcut } from '../state/browser';
import { isWaiting, type RoomSession } from '../state/room-session';
import { EndPage, JoiningPage } from './end-page';
import { GreenRoom } from './green-room';
import { useMeetingPage } from './use-meeting-page';
import { useStore } from './use-store';
import { WaitingPage } from './waiting-page';

export function RoomPage({ session, go }: { session: RoomSession; go: (path: string) => void }) {
  const { t } = useTranslation();
  const phase = useStore(session);
  const MeetingPage = useMeetingPage(phase.name === 'meeting');

  useEffect(() => {
    document.title = `${session.room} · ${t('product')}`;
    return () => {
      document.title = t('product');
    };
  }, [session, t]);

  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const kind = shortcut(event);
      // The chat is the meeting's page's.
      if (!kind || kind === 'chat' || phase.name === 'left' || (phase.name === 'ended' && !isWaiting(phase))) return;
      event.preventDefault();
      void session.toggle(kind);
    };
    window.addEventListener('keydown', pressed);
    return () => window.removeEventListener('keydown', pressed);
  }, [session, phase]);

  switch (phase.name) {
    case 'greenRoom':
      return <GreenRoom session={session} joining={false} go={go} />;
    case 'joining':
      return phase.again ? <JoiningPage session={session} go={go} /> : <GreenRoom session={session} joining go={go} />;
    case 'waiting':
      return <WaitingPage session={session} connected={phase.connected} go={go} />;
    case 'meeting':
      return MeetingPage ? (
        <MeetingPage session={session} meeting={phase.meeting} />
      ) : (
        <JoiningPage session={session} go={go} />
      );
    default:
      return <EndPage phase={phase} session={session} go={go} />;
  }
}
