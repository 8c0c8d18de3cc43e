import { Menu } from '@base-ui/react/menu';
import { Check, EllipsisVertical, Keyboard, Link, PictureInPicture2, Settings } from 'lucide-react';
import type { ReactNode } from 'react';
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
            <Menu.RadioGroup
              value={layout}
              onValueChange={(value: StageLayout) => session.preferences.update({ layout: value })}
            >
              <Menu.Group>
                <Menu.GroupLabel className="menu-label">{t('more.layout')}</Menu.GroupLabel>
                {LAYOUTS.map((value) => (
                  <Choice key={value} value={value} testId={`layout-${value}`}>
                    {t(`more.layouts.${value}`)}
                  </Choice>
                ))}
              </Menu.Group>
            </Menu.RadioGroup>
            <Menu.Separator className="menu-separator" />
            <Menu.RadioGroup
              value={selfView}
              onValueChange={(value: SelfView) => session.preferences.update({ selfView: value })}
            >
              <Menu.Group>
                <Menu.GroupLabel className="menu-label">{t('more.selfView')}</Menu.GroupLabel>
                {SELF_VIEWS.map((value) => (
                  <Choice key={value} value={value} testId={`self-view-${value}`}>
                    {t(`more.selfViews.${value}`)}
                  </Choice>
                ))}
              </Menu.Group>
            </Menu.RadioGroup>
            <Menu.Separator className="menu-separator" />
            {smallWindow.isSupported && (
              <Menu.Item className="menu-item" data-testid="small-window" onClick={smallWindow.toggle}>
                <PictureInPicture2 aria-hidden="true" />
                {t('more.pictureInPicture')}
              </Menu.Item>
            )}
            <Menu.Item className="menu-item" data-testid="settings" onClick={onSettings}>
              <Settings aria-hidden="true" />
              {t('controls.settings')}
            </Menu.Item>
            <Menu.Item
              className="menu-item"
              data-testid="copy-link"
              onClick={() => void copyText(roomLink(session.room)).then(onCopy)}
            >
              <Link aria-hidden="true" />
              {t('controls.copyLink')}
            </Menu.Item>
            <Menu.Item className="menu-item" data-testid="open-shortcuts" onClick={onShortcuts}>
              <Keyboard aria-hidden="true" />
              {t('more.shortcuts')}
            </Menu.Item>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}

function Choice({ value, testId, children }: { value: string; testId: string; children: ReactNode }) {
  return (
    <Menu.RadioItem className="menu-item" value={value} data-testid={testId} closeOnClick>
      <span className="menu-check">
        <Menu.RadioItemIndicator>
          <Check aria-hidden="true" />
        </Menu.RadioItemIndicator>
      </span>
      {children}
    </Menu.RadioItem>
  );
}
