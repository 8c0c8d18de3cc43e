import './styles/start.css';
import { ArrowRight, Clock, Keyboard, Video, X } from 'lucide-react';
import { type FormEvent, useLayoutEffect, useRef, useState } from 'react';
import type { BadLink } from '../state/app';
import { forgetMeeting, recentMeetings } from '../state/recent';
import { randomRoomName, readTyped, roomPath, type Typed } from '../state/room-name';
import { Logo } from './parts/logo';
import { MeetingPicture } from './parts/meeting-picture';
import { texts } from './texts';
import { useFocusedHeading } from './use-focus';

const recentTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

interface StartPageProps {
  badLink: BadLink | undefined;
  go: (path: string) => void;
}

export function StartPage({ badLink, go }: StartPageProps) {
  const heading = useFocusedHeading(texts.start.title);
  return (
    <div className="page">
      <header className="page-header">
        <Logo />
      </header>
      <main className="start">
        <div className="start-words">
          <h1 ref={heading} tabIndex={-1}>
            {texts.start.title}
          </h1>
          <p className="lead">{texts.start.lead}</p>
          <StartForm badLink={badLink} go={go} />
          <Recent go={go} onEmpty={() => heading.current?.focus()} />
        </div>
        <MeetingPicture />
      </main>
    </div>
  );
}

function StartForm({ badLink, go }: StartPageProps) {
  const [typed, setTyped] = useState('');
  const [problem, setProblem] = useState(badLink ? texts.start[badLink === 'name' ? 'badName' : 'badLink'] : '');

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const read = readTyped(typed, location.host);
    if ('room' in read) go(roomPath(read.room));
    else setProblem(sentence(read));
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
          {texts.start.create}
        </button>
        <div className="start-join">
          <div className="input-with-icon">
            <Keyboard aria-hidden="true" />
            <input
              className="input"
              aria-label={texts.start.roomLabel}
              placeholder={texts.start.roomPlaceholder}
              aria-invalid={problem !== ''}
              aria-describedby="start-problem"
              autoCapitalize="none"
              autoComplete="off"
              spellCheck={false}
              data-testid="room-input"
              value={typed}
              onChange={({ target }) => {
                setTyped(target.value);
                setProblem('');
              }}
            />
          </div>
          <button type="submit" className="button large" disabled={typed.trim() === ''} data-testid="open-room">
            {texts.start.join}
          </button>
        </div>
      </form>
      <p id="start-problem" className="problem-line" role="alert">
        {problem}
      </p>
    </>
  );
}

function sentence(read: Exclude<Typed, { room: string }>): string {
  if (read.problem === 'elsewhere') return texts.start.elsewhere(read.host);
  return read.problem === 'tooLong' ? texts.start.longRoom : texts.start.badRoom;
}

function Recent({ go, onEmpty }: { go: (path: string) => void; onEmpty: () => void }) {
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
      <h2 id="recent-title">{texts.start.recent}</h2>
      <ul ref={list}>
        {recent.map(({ room, at }, place) => (
          <li key={room}>
            <button type="button" className="recent-open" onClick={() => go(roomPath(room))}>
              <Clock aria-hidden="true" />
              <span className="recent-name">{room}</span>
              <time dateTime={new Date(at).toISOString()}>{recentTime.format(at)}</time>
              <ArrowRight aria-hidden="true" className="recent-arrow" />
            </button>
            <button
              type="button"
              className="icon-button"
              aria-label={texts.start.forget(room)}
              onClick={() => forget(room, place)}
            >
              <X aria-hidden="true" />
            </button>
          </li>
        ))}
      </ul>
      <p className="hint">{texts.start.recentHint}</p>
    </section>
  );
}
