import { useTranslation } from 'react-i18next';
import { PROCESSING } from '../../state/preferences';
import type { RoomSession } from '../../state/room-session';
import { useStore } from '../use-store';
import { DevicePickers } from './device-pickers';
import { DeviceProblems } from './device-problems';
import { Dialog } from './dialog';
import { SwitchLine } from './switch-line';

/** The devices, in the middle of a meeting. */
export function DeviceDialog({ session, onClose }: { session: RoomSession; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Dialog title={t('devices.title')} onClose={onClose}>
      <DeviceProblems session={session} />
      <DevicePickers session={session} />
      <Processing session={session} />
    </Dialog>
  );
}

/** What the browser does to the sound of the microphone. */
function Processing({ session }: { session: RoomSession }) {
  const { t } = useTranslation();
  const preferences = useStore(session.preferences);
  return (
    <fieldset className="switches">
      <legend>{t('processing.title')}</legend>
      {PROCESSING.map((kind) => (
        <SwitchLine
          key={kind}
          label={t(`processing.${kind}`)}
          checked={preferences[kind]}
          testId={`processing-${kind}`}
          onChange={(on) => session.process(kind, on)}
        />
      ))}
    </fieldset>
  );
}
