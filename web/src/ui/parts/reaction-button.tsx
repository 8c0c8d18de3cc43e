import { Popover } from '@base-ui/react/popover';
import { SmilePlus } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { REACTIONS, type Signals } from '../../state/signals';

/** Shows the others what one thinks of this moment. */
export function ReactionButton({ signals }: { signals: Signals }) {
  const { t } = useTranslation();
  return (
    <Popover.Root>
      <Popover.Trigger
        className="round-button tip reaction-button"
        aria-label={t('reactions.open')}
        data-testid="reactions"
      >
        <SmilePlus aria-hidden="true" />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner className="menu-positioner" side="top" sideOffset={10} collisionPadding={8}>
          <Popover.Popup className="menu reactions" aria-label={t('reactions.open')}>
            {REACTIONS.map(({ emoji, name }) => (
              <button
                key={name}
                type="button"
                className="reaction"
                aria-label={t(`reactions.names.${name}`)}
                data-testid={`react-${name}`}
                onClick={() => signals.react(emoji)}
              >
                {emoji}
              </button>
            ))}
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}
