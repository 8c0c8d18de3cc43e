import './styles/green-room.css';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { cleanName, truncateName } from '../state/names';
import { NAME_BYTES_MAX, type RoomSession } from '../state/room-session';
import { Avatar } from './parts/avatar';
import { CopyLinkField } from './parts/copy-link';
import { DevicePickers } from './parts/device-pickers';
import { askingFor, DeviceProblems } from './parts/device-problems';
import { LanguagePicker } from './parts/language-picker';
import { Logo } from './parts/logo';
import { MiddleCut } from './parts/middle-cut';
import { SlowJoin } from './parts/slow-join';
import { ToggleButtons } from './parts/toggle-buttons';
import { VideoView } from './parts/video-view';
import { useStore } from './use-store';

interface GreenRoomProps {
  session: RoomSession;
  joining: boolean;
  go: (path: string) => void;
}

/** Before the meeting: how one looks and sounds, and under which name one goes in. */
export function GreenRoom({ session, joining, go }: GreenRoomProps) {
  const { t } = useTranslation();
  const [name, setName] = useState(session.preferences.get().name);
  return (
    <div className="page">
      <header className="page-header">
        <Logo go={go} />
        <LanguagePicker preferences={session.preferences} />
      </header>
      <main className="green-room" tabIndex={-1}>
        <section className="green-room-devices" aria-label={t('devices.title')}>
          <Preview session={session} name={name} />
          <DeviceProblems session={session} joining />
          <DevicePickers session={session} />
        </section>
        <JoinForm session={session} joining={joining} name={name} setName={setName} />
      </main>
    </div>
  );
}

function Preview({ session, name }: { session: RoomSession; name: string }) {
  const { t } = useTranslation();
  const media = useStore(session.media);
  const { camera } = media;
  const asking = askingFor(t, media);
  const off = camera.starting ? t('greenRoom.cameraStarting') : t('greenRoom.cameraOff');
  return (
    <div className="preview">
      {camera.track ? (
        <VideoView track={camera.track} mirrored />
      ) : (
        <div className="preview-off">
          {cleanName(name) !== '' && !camera.starting && <Avatar name={name} />}
          <p role="status">{asking ?? off}</p>
        </div>
      )}
      <div className="preview-buttons">
        <ToggleButtons session={session} />
      </div>
    </div>
  );
}

interface JoinFormProps {
  session: RoomSession;
  joining: boolean;
  name: string;
  setName: (name: string) => void;
}

function JoinForm({ session, joining, name, setName }: JoinFormProps) {
  const { t } = useTranslation();
  const [missing, setMissing] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);

  useEffect(() => {
    // Not on a touch screen, where the keyboard would cover one's own picture.
    const types = input.current?.value === '' && matchMedia('(hover: hover)').matches;
    (types ? input : heading).current?.focus({ preventScroll: true });
  }, []);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (joining) return;
    if (cleanName(name) !== '') {
      void session.join(name);
      return;
    }
    setMissing(true);
    input.current?.focus();
  };

  return (
    <form className="join-form" onSubmit={submit} noValidate>
      <div className="join-head">
        <h1 ref={heading} tabIndex={-1}>
          {t('greenRoom.title')}
        </h1>
        <p className="join-room">
          <span>{t('greenRoom.meeting')}</span> <MiddleCut text={session.room} />
        </p>
      </div>
      <label className="field">
        <span>{t('greenRoom.nameLabel')}</span>
        <input
          ref={input}
          className="input"
          placeholder={t('greenRoom.namePlaceholder')}
          autoComplete="name"
          aria-invalid={missing}
          aria-describedby="name-problem"
          data-testid="name-input"
          value={name}
          onChange={({ target }) => {
            setName(truncateName(target.value, NAME_BYTES_MAX));
            setMissing(false);
          }}
        />
      </label>
      <p id="name-problem" className="problem-line" role="alert">
        {missing && t('greenRoom.nameMissing')}
      </p>
      <button type="submit" className="button primary large wide" aria-disabled={joining} data-testid="join">
        {joining && <span className="spinner" aria-hidden="true" />}
        {joining ? t('greenRoom.joining') : t('greenRoom.join')}
      </button>
      {joining && <SlowJoin session={session} />}
      <CopyLinkField room={session.room} />
    </form>
  );
}
