import '../styles/people.css';
import { Hand, Mic, MicOff, MonitorUp, Video, VideoOff } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { isModerator, mayModerate, type Participant } from '../../client';
import type { MeetingView } from '../../state/meeting-view';
import { useStore } from '../use-store';
import { Avatar } from './avatar';
import { FocusKept } from './focus-kept';
import { HostTools } from './host-tools';
import { Panel } from './panel';
import { PersonMenu } from './person-menu';
import { WaitingList } from './waiting-list';

/** From how many on one looks for somebody by name. */
const SEARCH_FROM = 12;

/** Who is here, who raised their hand, and for hosts what they can do about it. */
export function PeoplePanel({ view, onClose }: { view: MeetingView; onClose: () => void }) {
  const { t } = useTranslation();
  const { participants, selfId, names } = useStore(view);
  const [search, setSearch] = useState('');
  const self = participants.find(({ id }) => id === selfId);
  const moderates = self !== undefined && isModerator(self);
  const nameOf = ({ id, name }: Participant) => names.get(id) ?? name;
  const searches = participants.length >= SEARCH_FROM || search !== '';
  const sought = search.trim().toLowerCase();
  const found = participants.filter((person) => nameOf(person).toLowerCase().includes(sought));
  const hands = participants
    .filter(({ hand }) => hand !== undefined)
    .sort((one, other) => (one.hand ?? 0) - (other.hand ?? 0));
  const line = (person: Participant) => (
    <Person key={person.id} view={view} self={self} person={person} name={nameOf(person)} />
  );

  return (
    <Panel id="people" title={t('people.title')} closeLabel={t('people.close')} onClose={onClose}>
      <div className="people">
        {moderates && <WaitingList view={view} />}
        {moderates && self && <HostTools view={view} self={self} />}
        {hands.length > 0 && (
          <section aria-labelledby="hands-title" data-testid="hands">
            <FocusKept className="people-head">
              <h3 id="hands-title">{t('people.hands')}</h3>
              {moderates && (
                <button
                  type="button"
                  className="link-button"
                  data-testid="lower-all"
                  onClick={() => view.moderate({ action: 'lowerHands' })}
                >
                  {t('people.lowerAll')}
                </button>
              )}
            </FocusKept>
            <ol className="people-list">{hands.map(line)}</ol>
          </section>
        )}
        <section aria-labelledby="people-here">
          <div className="people-head">
            <h3 id="people-here">{t('people.here', { count: participants.length })}</h3>
          </div>
          {searches && (
            <input
              type="search"
              className="input people-search"
              aria-label={t('people.search')}
              placeholder={t('people.search')}
              value={search}
              onChange={({ target }) => setSearch(target.value)}
            />
          )}
          <ul className="people-list" data-testid="people-list">
            {found.map(line)}
          </ul>
          {found.length === 0 && <p className="hint">{t('people.nobodyFound')}</p>}
        </section>
      </div>
    </Panel>
  );
}

interface PersonProps {
  view: MeetingView;
  self: Participant | undefined;
  person: Participant;
  name: string;
}

function Person({ view, self, person, name }: PersonProps) {
  const { t } = useTranslation();
  const { media, role, hand } = person;
  const isSelf = self?.id === person.id;
  const heard = media.mic?.paused === false;
  const seen = media.camera?.paused === false;
  return (
    <li className="person" data-testid="person" data-name={name} data-role={role}>
      <Avatar name={name} />
      <div className="person-name">
        <bdi>{isSelf ? t('meeting.nameOfSelf', { name }) : name}</bdi>
        {role !== 'participant' && <span className="person-role">{t(`people.roles.${role}`)}</span>}
      </div>
      <div className="person-state">
        {hand !== undefined && <State Icon={Hand} label={t('people.handIsUp')} marked />}
        {media.screen && <State Icon={MonitorUp} label={t('people.shares')} marked />}
        <State Icon={heard ? Mic : MicOff} label={t(heard ? 'people.micIsOn' : 'people.micIsOff')} />
        <State Icon={seen ? Video : VideoOff} label={t(seen ? 'people.cameraIsOn' : 'people.cameraIsOff')} />
      </div>
      {self && isModerator(self) && (
        <div className="person-menu">
          {mayModerate(self, person) && <PersonMenu view={view} self={self} person={person} name={name} />}
        </div>
      )}
    </li>
  );
}

function State({ Icon, label, marked = false }: { Icon: typeof Hand; label: string; marked?: boolean }) {
  return (
    <span className={marked ? 'marked' : ''} title={label}>
      <Icon aria-hidden="true" />
      <span className="visually-hidden">{label}</span>
    </span>
  );
}
