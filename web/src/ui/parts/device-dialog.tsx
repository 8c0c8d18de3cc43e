import { X } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import type { RoomSession } from '../../state/room-session';
import { DevicePickers } from './device-pickers';
import { DeviceProblems } from './device-problems';

/** The devices, in the middle of a meeting. */
export function DeviceDialog({ session, onClose }: { session: RoomSession; onClose: () => void }) {
  const { t } = useTranslation();
  const dialog = useRef<HTMLDialogElement>(null);

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
          <h2 id="devices-title">{t('devices.title')}</h2>
          <button
            type="button"
            className="icon-button"
            aria-label={t('devices.close')}
            onClick={() => dialog.current?.close()}
          >
            <X aria-hidden="true" />
          </button>
        </div>
        <DeviceProblems session={session} />
        <DevicePickers session={session} />
      </div>
    </dialog>
  );
}
