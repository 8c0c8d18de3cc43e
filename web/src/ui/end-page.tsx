import './styles/end.css';
import { DoorOpen, Lock, MonitorSmartphone, RotateCw, ServerCrash, ShieldX, Users, WifiOff } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { FailureCode } from '../client';
import en from '../locales/en.json';
import { isWaiting, type Phase, type RoomSession } from '../state/room-session';
import { Logo } from './parts/logo';
import { SlowJoin } from './parts/slow-join';
import { ToggleButtons } from './parts/toggle-buttons';
import { useFocusedHeading } from './use-focus';

interface EndPageProps {
  phase: Extract<Phase, { name: 'left' | 'ended' }>;
  session: RoomSession;
  go: (path: string) => void;
}

const icons: Partial<Record<FailureCode, typeof DoorOpen>> = {
  room_full: Users,
  room_locked: Lock,
  removed: ShieldX,
  meeting_ended: DoorOpen,
  superseded: MonitorSmartphone,
  forbidden: ShieldX,
  unauthorized: ShieldX,
  draining: RotateCw,
  unreachable: WifiOff,
  timeout: WifiOff,
};

/** After the meeting, or instead of it: why, and what to do next. */
export function EndPage({ phase, session, go }: EndPageProps) {
  const { t } = useTranslation();
  const left = phase.name === 'left';
  const reason = left ? 'left' : reasonOf(phase.code);
  const title = t(`end.${reason}.title`);
  const Icon = left ? DoorOpen : (icons[phase.code] ?? ServerCrash);
  const retryInSeconds = left ? undefined : phase.retryInSeconds;
  const heading = useFocusedHeading(title);

  const again = () => {
    if (retryInSeconds !== undefined) return t('end.tryNow');
    if (left || phase.code === 'session_expired') return t('end.rejoin');
    return phase.code === 'superseded' ? t('end.joinHere') : t('end.tryAgain');
  };

  const retry = (seconds: number) => (seconds === 0 ? t('end.retrying') : t('end.retryIn', { seconds }));

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
        <p className="lead">{t(`end.${reason}.text`)}</p>
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
            {t('end.home')}
          </button>
        </div>
        <p className="hint">{retryInSeconds !== undefined && retry(retryInSeconds)}</p>
        {phase.name === 'ended' && isWaiting(phase) && (
          <section className="end-devices" aria-labelledby="come-back-with">
            <h2 id="come-back-with">{t('end.comeBackWith')}</h2>
            <div>
              <ToggleButtons session={session} />
            </div>
            <p className="hint" role="status">
              {phase.turnedOff && t('end.turnedOff')}
            </p>
          </section>
        )}
      </main>
    </div>
  );
}

type Reason = Extract<FailureCode, keyof typeof en.end> | 'other';

/** Not every failure has words of its own. */
function reasonOf(code: FailureCode): Reason {
  return code in en.end ? (code as Reason) : 'other';
}

/** On the way back in. */
export function JoiningPage({ session, go }: { session: RoomSession; go: (path: string) => void }) {
  const { t } = useTranslation();
  const heading = useFocusedHeading('joining');
  return (
    <div className="page">
      <header className="page-header">
        <Logo go={go} />
      </header>
      <main className="end" aria-busy="true">
        <span className="spinner large" aria-hidden="true" />
        <h1 ref={heading} tabIndex={-1}>
          {t('greenRoom.joining')}
        </h1>
        <SlowJoin session={session} />
      </main>
    </div>
  );
}
