import { Camera, ChevronDown, Mic, Volume2 } from 'lucide-react';
import { type ReactNode, useId, useState } from 'react';
import { playTestSound } from '../../state/audio-tools';
import type { DeviceChoice } from '../../state/devices';
import type { LocalDevice } from '../../state/local-media';
import type { DeviceKind, RoomSession } from '../../state/room-session';
import { texts } from '../texts';
import { useStore } from '../use-store';
import { MicLevel } from './mic-level';

/** Which microphone, camera and speaker. */
export function DevicePickers({ session }: { session: RoomSession }) {
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
      <Picker session={session} kind="mic" label={texts.devices.microphone} icon={<Mic />} choices={mics}>
        <MicLevel track={mic.on ? mic.track : undefined} />
      </Picker>
      <Picker session={session} kind="camera" label={texts.devices.camera} icon={<Camera />} choices={cameras} />
      <Picker session={session} kind="speaker" label={texts.devices.speaker} icon={<Volume2 />} choices={speakers}>
        <button
          type="button"
          className="link-button"
          aria-label={texts.devices.testLabel}
          disabled={testing}
          onClick={test}
        >
          {testing ? texts.devices.testing : texts.devices.testLabel}
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
          {choices.length === 0 && <option value="">{instead(device)}</option>}
          {choices.map((choice, index) => (
            <option key={choice.id} value={choice.id}>
              {choice.label || texts.devices.unnamed(label, index + 1)}
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
function instead(device: LocalDevice | undefined): string {
  // Speakers are often not listed; sound goes to the system's own choice then.
  if (!device) return texts.devices.systemDefault;
  if (device.problem === 'denied' || device.problem === 'deniedBySystem') return texts.devices.refused;
  if (device.starting) return texts.devices.starting;
  return device.track?.label || texts.devices.none;
}
