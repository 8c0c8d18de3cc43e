import './styles/start.css';
import type { TFunction } from 'i18next';
import { ArrowRight, Clock, Keyboard, Video, X } from 'lucide-react';
import { type FormEvent, useLayoutEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { BadLink } from '../state/app';
import type { PreferenceStore } from '../state/preferences';
import { forgetMeeting, recentMeetings } from '../state/recent';
import { randomRoomName, readTyped, roomPath, type Typed } from '../state/room-name';
import { LanguagePicker } from './parts/language-picker';
import { Logo } from './parts/logo';
import { MeetingPicture } from './parts/meeting-picture';
import { useDates } from './use-dates';
import { useFocusedHeading } from './use-focus';

interface StartPageProps {
  badLink: BadLink | undefined;
  preferences: PreferenceStore;
  go: (path: string) => void;
}

export function StartPage({ badLink, preferences, go }: StartPageProps) {
  const { t } = useTranslation();
  const heading = useFocusedHeading('start');
  return (
    <div className="page">
      <header className="page-header">
        <Logo />
        <LanguagePicker preferences={preferences} />
      </header>
      <main className="start">
        <div className="start-words">
          <h1 ref={heading} tabIndex={-1}>
            {t('start.title')}
          </h1>
          <p className="lead">{t('start.lead')}</p>
          <StartForm badLink={badLink} go={go} />
          <Recent go={go} onEmpty={() => heading.current?.focus()} />
        </div>
        <MeetingPicture />
      </main>
    </div>
  );
}

/** What is wrong with what one typed, or with the address that led here. */
type Problem = Exclude<Typed, { room: string }> | { problem: 'badName' | 'badLink' };

function StartForm({ badLink, go }: Pick<StartPageProps, 'badLink' | 'go'>) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState('');
  const [problem, setProblem] = useState<Problem | undefined>(
    badLink && { problem: badLink === 'name' ? 'badName' : 'badLink' },
  );

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const read = readTyped(typed, location.host);
    if ('room' in read) go(roomPath(read.room));
    else setProblem(read);
  };

  return (
    <>
      <form className="start-form" onSubmit={submit} noValidate>
        <button
          type="button"
          className="button primary large"
          data-testid="create-meeting"
          onClick={() => go(roomPath(randomRoomName()))}
        >
          <Video aria-hidden="true" />
          {t('start.create')}
        </button>
        <div className="start-join">
          <div className="input-with-icon">
            <Keyboard aria-hidden="true" />
            <input
              className="input"
              aria-label={t('start.roomLabel')}
              placeholder={t('start.roomPlaceholder')}
              aria-invalid={problem !== undefined}
              aria-describedby="start-problem"
              autoCapitalize="none"
              autoComplete="off"
              spellCheck={false}
              data-testid="room-input"
              value={typed}
              onChange={({ target }) => {
                setTyped(target.value);
                setProblem(undefined);
              }}
            />
          </div>
          <button type="submit" className="button large" disabled={typed.trim() === ''} data-testid="open-room">
            {t('start.join')}
          </button>
        </div>
      </form>
      <p id="start-problem" className="problem-line" role="alert">
        {problem && sentence(t, problem)}
      </p>
    </>
  );
}

function sentence(t: TFunction, read: Problem): string {
  switch (read.problem) {
    case 'elsewhere':
      return t('start.elsewhere', { host: read.host });
    case 'tooLong':
      return t('start.longRoom');
    case 'noName':
      return t('start.badRoom');
    default:
      return t(`start.${read.problem}`);
  }
}

function Recent({ go, onEmpty }: { go: (path: string) => void; onEmpty: () => void }) {
  const { t } = useTranslation();
  const { dateAndTime } = useDates();
  const [recent, setRecent] = useState(() => recentMeetings());
  const list = useRef<HTMLUListElement>(null);
  // The row that the focus goes to when the one that had it is gone.
  const [next, setNext] = useState<{ place: number }>();

  useLayoutEffect(() => {
    const buttons = list.current?.querySelectorAll<HTMLElement>('.icon-button');
    if (next && buttons) buttons[Math.min(next.place, buttons.length - 1)]?.focus();
  }, [next]);

  if (recent.length === 0) return null;

  const forget = (room: string, place: number) => {
    forgetMeeting(room);
    const left = recentMeetings();
    setRecent(left);
    setNext({ place });
    if (left.length === 0) onEmpty();
  };

  return (
    <section className="recent" aria-labelledby="recent-title">
      <h2 id="recent-title">{t('start.recent')}</h2>
      <ul ref={list}>
        {recent.map(({ room, at }, place) => (
          <li key={room}>
            <button type="button" className="recent-open" onClick={() => go(roomPath(room))}>
              <Clock aria-hidden="true" />
              <span className="recent-name">{room}</span>
              <time dateTime={new Date(at).toISOString()}>{dateAndTime.format(at)}</time>
              <ArrowRight aria-hidden="true" className="recent-arrow" />
            </button>
            <button
              type="button"
              className="icon-button"
              aria-label={t('start.forget', { room })}
              onClick={() => forget(room, place)}
            >
              <X aria-hidden="true" />
            </button>
          </li>
        ))}
      </ul>
      <p className="hint">{t('start.recentHint')}</p>
    </section>
  );
}
