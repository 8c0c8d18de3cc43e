import { useTranslation } from 'react-i18next';
import { shortcutText } from '../shortcut-text';
import { Dialog } from './dialog';

/** What can be done by keys. */
export function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const lines = [
    { keys: shortcutText(t, 'D'), does: t('shortcuts.mic') },
    { keys: t('shortcuts.space'), does: t('shortcuts.talk') },
    { keys: shortcutText(t, 'E'), does: t('shortcuts.camera') },
    { keys: shortcutText(t, 'K'), does: t('shortcuts.chat') },
    { keys: '?', does: t('shortcuts.help') },
  ];
  return (
    <Dialog title={t('shortcuts.title')} onClose={onClose}>
      <dl className="shortcuts" data-testid="shortcuts">
        {lines.map(({ keys, does }) => (
          <div key={keys}>
            <dt>{does}</dt>
            <dd>
              <kbd>{keys}</kbd>
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
