import { useEffect, useState } from 'react';
import type { RoomSession } from '../../state/room-session';
import { texts } from '../texts';
import { useFocusKept } from '../use-focus';

/** Where everything is as it should be one is in within less. */
const SLOW_MS = 2_000;

/** While one joins: after a moment that it takes long, and the way back. */
export function SlowJoin({ session }: { session: RoomSession }) {
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
          <p>{texts.greenRoom.slow}</p>
          <button type="button" className="button small" data-testid="cancel-join" onClick={() => session.cancel()}>
            {texts.greenRoom.cancel}
          </button>
        </>
      )}
    </div>
  );
}
