import { useEffect } from 'react';
import { PushToTalk } from '../state/push-to-talk';
import type { RoomSession } from '../state/room-session';

/** The space bar lets one speak while it is held, unless a dialog is in front. */
export function usePushToTalk(session: RoomSession, inFront: boolean): void {
  useEffect(() => {
    if (inFront) return;
    const talk = new PushToTalk(session.media, (on) => session.talk(on));
    const pressed = (event: KeyboardEvent) => talk.pressed(event);
    const released = (event: KeyboardEvent) => talk.released(event);
    const clicked = (event: Event) => talk.clicked(event);
    const gone = () => talk.released();
    addEventListener('pointerdown', clicked, { capture: true });
    addEventListener('keydown', pressed);
    // Before a button that has the focus takes it for a click.
    addEventListener('keyup', released, { capture: true });
    addEventListener('blur', gone);
    document.addEventListener('visibilitychange', gone);
    return () => {
      removeEventListener('pointerdown', clicked, { capture: true });
      removeEventListener('keydown', pressed);
      removeEventListener('keyup', released, { capture: true });
      removeEventListener('blur', gone);
      document.removeEventListener('visibilitychange', gone);
      gone();
    };
  }, [session, inFront]);
}
