import './styles/end.css';
import { DoorOpen, MonitorSmartphone, RotateCw, ServerCrash, ShieldX, Users, WifiOff } from 'lucide-react';
import { useEffect, useRef } from 'react';
import type { FailureCode } from '../client';
import type { Phase, RoomSession } from '../state/room-session';
import { Logo } from './parts/logo';
import { texts } from './texts';

interface EndPageProps {
  phase: Extract<Phase, { name: 'left' | 'ended' }>;
  session: RoomSession;
  go: (path: string) => void;
}

const icons: Partial<Record<FailureCode, typeof DoorOpen>> = {
  room_full: Users,
  superseded: MonitorSmartphone,
  forbidden: ShieldX,
  unauthorized: ShieldX,
  draining: RotateCw,
  unreachable: WifiOff,
  timeout: WifiOff,
};

/** After the meeting, or instead of it: why, and what to do next. */
export function EndPage({ phase, session, go }: EndPageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const left = phase.name === 'left';
  const { title, text } = left ? { title: texts.end.leftTitle, text: texts.end.left } : texts.end.of(phase.code);
  const Icon = left ? DoorOpen : (icons[phase.code] ?? ServerCrash);
  const retryInSeconds = left ? undefined : phase.retryInSeconds;

  // biome-ignore lint/correctness/useExhaustiveDependencies: another reason is another page to a screen reader.
  useEffect(() => heading.current?.focus(), [title]);

  const again = () => {
    if (retryInSeconds !== undefined) return texts.end.tryNow;
    if (left || phase.code === 'session_expired') return texts.end.rejoin;
    return phase.code === 'superseded' ? texts.end.joinHere : texts.end.tryAgain;
  };

  return (
    <div className="page">
      <header className="page-header">
        <Logo go={go} />
      </header>
      <main className="end" data-testid={left ? 'left-page' : 'ended-page'} data-reason={left ? 'left' : phase.code}>
        <span className="end-icon">
          <Icon aria-hidden="true" />
        </span>
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <p className="lead">{text}</p>
        <div className="end-buttons">
          <button
            type="button"
            className="button primary large"
            data-testid="rejoin"
            onClick={() => void session.rejoin()}
          >
            {again()}
          </button>
          <button type="button" className="button large" data-testid="home" onClick={() => go('/')}>
            {texts.end.home}
          </button>
        </div>
        <p className="hint">{retryInSeconds !== undefined && texts.end.retryIn(retryInSeconds)}</p>
      </main>
    </div>
  );
}

/** On the way back in. */
export function JoiningPage({ go }: { go: (path: string) => void }) {
  return (
    <div className="page">
      <header className="page-header">
        <Logo go={go} />
      </header>
      <main className="end" aria-busy="true">
        <span className="spinner large" aria-hidden="true" />
        <p className="lead" role="status">
          {texts.greenRoom.joining}
        </p>
      </main>
    </div>
  );
}
