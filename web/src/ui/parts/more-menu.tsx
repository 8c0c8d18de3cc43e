import { Menu } from '@base-ui/react/menu';
import { Check, EllipsisVertical, Keyboard, Link, PictureInPicture2, Settings } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { RoomSession } from '../../state/room-session';
import { REACTIONS, type Signals } from '../../state/signals';
import type { SelfView, StageLayout } from '../../state/stage-items';
import type { PictureInPicture } from '../use-picture-in-picture';
import { useStore } from '../use-store';
import { copyText, roomLink } from './copy-link';

const LAYOUTS: StageLayout[] = ['auto', 'grid', 'speaker'];
const SELF_VIEWS: SelfView[] = ['tile', 'corner', 'hidden'];

interface MoreMenuProps {
  session: RoomSession;
  smallWindow: PictureInPicture;
  signals: Signals;
  onSettings: () => void;
  onShortcuts: () => void;
  /** Says what came of it. */
  onCopy: (copied: boolean) => void;
}

/** What is wanted less often than the buttons beside it. */
export function MoreMenu({ session, smallWindow, signals, onSettings, onShortcuts, onCopy }: MoreMenuProps) {
  const { t } = useTranslation();
  const { layout, selfView } = useStore(session.preferences);
  return (
    <Menu.Root>
      <Menu.Trigger className="round-button tip" aria-label={t('more.open')} data-testid="more">
        <EllipsisVertical aria-hidden="true" />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner className="menu-positioner" side="top" align="end" sideOffset={10} collisionPadding={8}>
          <Menu.Popup className="menu">
            {/* Where the bar has no room for their button. */}
            <Menu.Group className="menu-reactions">
              {REACTIONS.map(({ emoji, name }) => (
                <Menu.Item
                  key={name}
                  className="reaction"
                  aria-label={t(`reactions.names.${name}`)}
                  onClick={() => signals.react(emoji)}
                >
                  {emoji}
                </Menu.Item>
              ))}
            </Menu.Group>
            <Choices
              label={t('more.layout')}
              value={layout}
              choices={LAYOUTS.map((value) => ({ value, text: t(`more.layouts.${value}`), testId: `layout-${value}` }))}
              onChoose={(chosen) => session.preferences.update({ layout: chosen })}
            />
            <Menu.Separator className="menu-separator" />
            <Choices
              label={t('more.selfView')}
              value={selfView}
              choices={SELF_VIEWS.map((value) => ({
                value,
                text: t(`more.selfViews.${value}`),
                testId: `self-view-${value}`,
              }))}
              onChoose={(chosen) => session.preferences.update({ selfView: chosen })}
            />
            <Menu.Separator className="menu-separator" />
            {smallWindow.isSupported && (
              <Action Icon={PictureInPicture2} testId="small-window" onClick={smallWindow.toggle}>
                {t('more.pictureInPicture')}
              </Action>
            )}
            <Action Icon={Settings} testId="settings" onClick={onSettings}>
              {t('controls.settings')}
            </Action>
            <Action Icon={Link} testId="copy-link" onClick={() => void copyText(roomLink(session.room)).then(onCopy)}>
              {t('controls.copyLink')}
            </Action>
            <Action Icon={Keyboard} testId="open-shortcuts" onClick={onShortcuts}>
              {t('more.shortcuts')}
            </Action>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}

interface ChoicesProps<T extends string> {
  label: string;
  value: T;
  choices: readonly { value: T; text: string; testId: string }[];
  onChoose: (value: T) => void;
}

/** Of which one holds. */
function Choices<T extends string>({ label, value, choices, onChoose }: ChoicesProps<T>) {
  return (
    <Menu.RadioGroup value={value} onValueChange={onChoose}>
      <Menu.Group>
        <Menu.GroupLabel className="menu-label">{label}</Menu.GroupLabel>
        {choices.map((choice) => (
          <Menu.RadioItem
            key={choice.value}
            className="menu-item"
            value={choice.value}
            data-testid={choice.testId}
            closeOnClick
          >
            <span className="menu-check">
              <Menu.RadioItemIndicator>
                <Check aria-hidden="true" />
              </Menu.RadioItemIndicator>
            </span>
            {choice.text}
          </Menu.RadioItem>
        ))}
      </Menu.Group>
    </Menu.RadioGroup>
  );
}

interface ActionProps {
  Icon: typeof Settings;
  testId: string;
  onClick: () => void;
  children: string;
}

function Action({ Icon, testId, onClick, children }: ActionProps) {
  return (
    <Menu.Item className="menu-item" data-testid={testId} onClick={onClick}>
      <Icon aria-hidden="true" />
      {children}
    </Menu.Item>
  );
}
