import { X } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { browserFamily } from '../../state/browser';
import type { RoomSession } from '../../state/room-session';
import { texts } from '../texts';
import { useStore } from '../use-store';
import { DevicePickers } from './device-pickers';

/** The devices, in the middle of a meeting. */
export function DeviceDialog({ session, onClose }: { session: RoomSession; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const media = useStore(session.media);

  useEffect(() => dialog.current?.showModal(), []);

  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a modal dialog by itself.
    <dialog
      ref={dialog}
      className="dialog"
      aria-labelledby="devices-title"
      onClose={onClose}
      onClick={({ target }) => target === dialog.current && dialog.current?.close()}
    >
      <div className="dialog-content">
        <div className="card-head">
          <h2 id="devices-title">{texts.devices.title}</h2>
          <button
            type="button"
            className="icon-button"
            aria-label={texts.devices.close}
            onClick={() => dialog.current?.close()}
          >
            <X aria-hidden="true" />
          </button>
        </div>
        {(['camera', 'mic'] as const).map((kind) => {
          const { problem } = media[kind];
          return (
            problem && (
              <p key={kind} className="problem-box" role="alert">
                {texts.problems[kind][problem](browserFamily())}
              </p>
            )
          );
        })}
        <DevicePickers session={session} />
      </div>
    </dialog>
  );
}
