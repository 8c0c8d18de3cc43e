import type { TFunction } from 'i18next';
import { Camera, ChevronDown, Mic, Volume2 } from 'lucide-react';
import { type ReactNode, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { playTestSound } from '../../state/audio-tools';
import type { DeviceChoice } from '../../state/devices';
import type { LocalDevice } from '../../state/local-media';
import type { DeviceKind, RoomSession } from '../../state/room-session';
import { useStore } from '../use-store';
import { MicLevel } from './mic-level';

/** Which microphone, camera and speaker. */
export function DevicePickers({ session }: { session: RoomSession }) {
  const { t } = useTranslation();
  const { mics, cameras, speakers } = useStore(session.devices);
  const { mic } = useStore(session.media);
  const { speaker } = useStore(session.preferences);
  const [testing, setTesting] = useState(false);

  const test = async () => {
    setTesting(true);
    await playTestSound(speaker);
    setTesting(false);
  };

  return (
    <div className="pickers">
      <Picker session={session} kind="mic" label={t('devices.microphone')} icon={<Mic />} choices={mics}>
        <MicLevel track={mic.on ? mic.track : undefined} />
      </Picker>
      <Picker session={session} kind="camera" label={t('devices.camera')} icon={<Camera />} choices={cameras} />
      <Picker session={session} kind="speaker" label={t('devices.speaker')} icon={<Volume2 />} choices={speakers}>
        <button type="button" className="link-button" aria-label={t('devices.test')} disabled={testing} onClick={test}>
          {testing ? t('devices.testing') : t('devices.test')}
        </button>
      </Picker>
    </div>
  );
}

interface PickerProps {
  session: RoomSession;
  kind: DeviceKind;
  label: string;
  icon: ReactNode;
  choices: readonly DeviceChoice[];
  children?: ReactNode;
}

function Picker({ session, kind, label, icon, choices, children }: PickerProps) {
  const { t } = useTranslation();
  const id = useId();
  const preferred = useStore(session.preferences)[kind];
  const media = useStore(session.media);
  const device = kind === 'speaker' ? undefined : media[kind];
  const used = device?.track?.getSettings().deviceId;
  const value = choices.find((choice) => choice.id === (used ?? preferred))?.id ?? choices[0]?.id ?? '';
  return (
    <div className="picker">
      <label className="visually-hidden" htmlFor={id}>
        {label}
      </label>
      <div className="select">
        {icon}
        <select
          id={id}
          value={value}
          disabled={choices.length === 0}
          onChange={({ target }) => session.choose(kind, target.value)}
        >
          {choices.length === 0 && <option value="">{instead(t, device)}</option>}
          {choices.map((choice, index) => (
            <option key={choice.id} value={choice.id}>
              {choice.label || t('devices.unnamed', { kind: label, number: index + 1 })}
            </option>
          ))}
        </select>
        <ChevronDown className="select-chevron" />
      </div>
      {children}
    </div>
  );
}

/** What stands where there is nothing to choose from. */
function instead(t: TFunction, device: LocalDevice | undefined): string {
  // Speakers are often not listed; sound goes to the system's own choice then.
  if (!device) return t('devices.systemDefault');
  if (device.problem === 'denied' || device.problem === 'deniedBySystem') return t('devices.refused');
  if (device.starting) return t('devices.starting');
  return device.track?.label || t('devices.none');
}
