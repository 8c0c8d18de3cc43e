import './styles/end.css';
import { DoorClosed } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { RoomSession } from '../state/room-session';
import { Logo } from './parts/logo';
import { ToggleButtons } from './parts/toggle-buttons';
import { useFocusedHeading } from './use-focus';

interface WaitingPageProps {
  session: RoomSession;
  connected: boolean;
  go: (path: string) => void;
}

/** Until a host lets one in. */
export function WaitingPage({ session, connected, go }: WaitingPageProps) {
  const { t } = useTranslation();
  const heading = useFocusedHeading('waiting');
  return (
    <div className="page">
      <header className="page-header">
        <Logo go={go} />
      </header>
      <main className="end" data-testid="waiting-page">
        <span className="end-icon">
          <DoorClosed aria-hidden="true" />
        </span>
        <h1 ref={heading} tabIndex={-1}>
          {t('waiting.title')}
        </h1>
        <p className="lead">{t('waiting.text')}</p>
        <p className="hint" role="status">
          {!connected && t('meeting.reconnecting')}
        </p>
        <div className="end-buttons">
          <button type="button" className="button large" data-testid="stop-waiting" onClick={() => session.cancel()}>
            {t('waiting.cancel')}
          </button>
        </div>
        <section className="end-devices" aria-labelledby="come-in-with">
          <h2 id="come-in-with">{t('waiting.comeInWith')}</h2>
          <div>
            <ToggleButtons session={session} />
          </div>
        </section>
      </main>
    </div>
  );
}
