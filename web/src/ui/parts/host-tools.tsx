import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Participant, RoomSettings } from '../../client';
import type { MeetingView } from '../../state/meeting-view';
import { useStore } from '../use-store';
import { ConfirmDialog } from './confirm-dialog';
import { SwitchLine } from './switch-line';

/** What those may do who are no hosts. */
const RIGHTS = ['mic', 'camera', 'screen', 'chat'] as const;

/** What a host or co-host can do to all. */
export function HostTools({ view, self }: { view: MeetingView; self: Participant }) {
  const { t } = useTranslation();
  const { participants } = useStore(view);
  const [ending, setEnding] = useState(false);
  const others = participants.length > 1;
  return (
    <section className="host-tools" aria-label={t('people.hostTools')} data-testid="host-tools">
      <div className="host-buttons">
        <button
          type="button"
          className="button small"
          disabled={!others}
          data-testid="mute-all"
          onClick={() => view.moderate({ action: 'mute', source: 'mic' })}
        >
          {t('people.muteAll')}
        </button>
        {self.role === 'host' && (
          <button type="button" className="button small" data-testid="end-meeting" onClick={() => setEnding(true)}>
            {t('people.endMeeting')}
          </button>
        )}
      </div>
      <div className="switches">
        <SettingSwitch view={view} setting="lobby" />
        <SettingSwitch view={view} setting="locked" />
      </div>
      <fieldset className="switches">
        <legend>{t('people.settingsTitle')}</legend>
        {RIGHTS.map((setting) => (
          <SettingSwitch key={setting} view={view} setting={setting} />
        ))}
      </fieldset>
      {ending && (
        <ConfirmDialog
          title={t('people.endTitle')}
          text={t('people.endText')}
          action={t('people.endMeeting')}
          onConfirm={() => view.moderate({ action: 'end' })}
          onClose={() => setEnding(false)}
        />
      )}
    </section>
  );
}

function SettingSwitch({ view, setting }: { view: MeetingView; setting: keyof RoomSettings }) {
  const { t } = useTranslation();
  const { settings } = useStore(view);
  return (
    <SwitchLine
      label={t(`people.settings.${setting}`)}
      checked={settings[setting]}
      testId={`setting-${setting}`}
      onChange={(on) => view.moderate({ action: 'setSetting', setting, on })}
    />
  );
}
