import { Menu } from '@base-ui/react/menu';
import { EllipsisVertical } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Participant, Role } from '../../client';
import type { MeetingView } from '../../state/meeting-view';
import { ConfirmDialog } from './confirm-dialog';

interface PersonMenuProps {
  view: MeetingView;
  self: Participant;
  person: Participant;
  name: string;
}

/** What a host or co-host can do to somebody. */
export function PersonMenu({ view, self, person, name }: PersonMenuProps) {
  const { t } = useTranslation();
  const [removing, setRemoving] = useState(false);
  const { id: participantId, media, role, hand } = person;
  const roles: Role[] = self.role === 'host' ? ['host', 'coHost', 'participant', 'viewer'] : ['participant', 'viewer'];
  const item = (testId: string, text: string, act: () => void) => (
    <Menu.Item key={testId} className="menu-item" data-testid={testId} onClick={act}>
      {text}
    </Menu.Item>
  );
  const isHeard = media.mic?.paused === false;
  const isSeen = media.camera?.paused === false;
  return (
    <>
      <Menu.Root>
        <Menu.Trigger className="icon-button" aria-label={t('people.actions', { name })} data-testid="person-menu">
          <EllipsisVertical aria-hidden="true" />
        </Menu.Trigger>
        <Menu.Portal>
          <Menu.Positioner className="menu-positioner" align="end" sideOffset={4} collisionPadding={8}>
            <Menu.Popup className="menu">
              {isHeard &&
                item('mute', t('people.mute'), () => view.moderate({ action: 'mute', participantId, source: 'mic' }))}
              {!isHeard &&
                role !== 'viewer' &&
                item('ask-unmute', t('people.askToUnmute'), () =>
                  view.moderate({ action: 'askToUnmute', participantId, source: 'mic' }),
                )}
              {isSeen &&
                item('stop-video', t('people.stopVideo'), () =>
                  view.moderate({ action: 'mute', participantId, source: 'camera' }),
                )}
              {media.screen &&
                item('stop-screen', t('people.stopScreen'), () =>
                  view.moderate({ action: 'mute', participantId, source: 'screen' }),
                )}
              {hand !== undefined &&
                item('lower-hand', t('people.lowerTheirHand'), () =>
                  view.moderate({ action: 'lowerHands', participantId }),
                )}
              <Menu.Separator className="menu-separator" />
              {roles
                .filter((one) => one !== role)
                .map((one) =>
                  item(`role-${one}`, t(`people.makeRole.${one}`), () =>
                    view.moderate({ action: 'setRole', participantId, role: one }),
                  ),
                )}
              <Menu.Separator className="menu-separator" />
              {item('remove', t('people.remove'), () => setRemoving(true))}
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
      {removing && (
        <ConfirmDialog
          title={t('people.removeTitle', { name })}
          text={t('people.removeText')}
          action={t('people.remove')}
          onConfirm={() => view.moderate({ action: 'remove', participantId })}
          onClose={() => setRemoving(false)}
        />
      )}
    </>
  );
}
