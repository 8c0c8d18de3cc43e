import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { RoomSession } from '../../state/room-session';
import { useFocusKept } from '../use-focus';

/** Where everything is as it should be one is in within less. */
const SLOW_MS = 2_000;

/** While one joins: after a moment that it takes long, and the way back. */
export function SlowJoin({ session }: { session: RoomSession }) {
  const { t } = useTranslation();
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SLOW_MS);
    return () => clearTimeout(timer);
  }, []);
  const ref = useFocusKept<HTMLDivElement>();
  return (
    <div ref={ref} className="slow-join" role="status">
      {slow && (
        <>
          <p>{t('greenRoom.slow')}</p>
          <button type="button" className="button small" data-testid="cancel-join" onClick={() => session.cancel()}>
            {t('greenRoom.cancel')}
          </button>
        </>
      )}
    </div>
  );
}
