import { MonitorUp, MonitorX } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { RoomSession } from '../../state/room-session';
import { useStore } from '../use-store';

/** Begins and ends to share one's screen; absent where the browser has none to share. */
export function ScreenButton({ session }: { session: RoomSession }) {
  const { t } = useTranslation();
  const { choosing, track } = useStore(session.screen);
  if (!session.screen.isSupported) return null;
  const Icon = track ? MonitorX : MonitorUp;
  return (
    <button
      type="button"
      className={`round-button tip ${track ? 'active' : ''}`}
      aria-label={t(track ? 'screen.stop' : 'screen.start')}
      aria-busy={choosing}
      data-testid="toggle-screen"
      data-on={track !== undefined}
      onClick={() => session.shareScreen(!track)}
    >
      <Icon aria-hidden="true" />
    </button>
  );
}
