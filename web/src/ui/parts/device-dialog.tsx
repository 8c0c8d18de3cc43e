import { Switch } from '@base-ui/react/switch';
import { useTranslation } from 'react-i18next';
import { PROCESSING } from '../../state/preferences';
import type { RoomSession } from '../../state/room-session';
import { useStore } from '../use-store';
import { DevicePickers } from './device-pickers';
import { DeviceProblems } from './device-problems';
import { Dialog } from './dialog';

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
        // biome-ignore lint/a11y/noLabelWithoutControl: the switch is its control.
        <label key={kind} className="switch-line">
          <span>{t(`processing.${kind}`)}</span>
          <Switch.Root
            className="switch"
            checked={preferences[kind]}
            data-testid={`processing-${kind}`}
            onCheckedChange={(on) => session.process(kind, on)}
          >
            <Switch.Thumb className="switch-thumb" />
          </Switch.Root>
        </label>
      ))}
    </fieldset>
  );
}
