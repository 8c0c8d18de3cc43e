import { useTranslation } from 'react-i18next';
import type { Signals } from '../../state/signals';
import { useStore } from '../use-store';

/** The newest reaction, for who does not see it. */
export function ReactionStatus({ signals, names }: { signals: Signals; names: ReadonlyMap<string, string> }) {
  const { t } = useTranslation();
  const { reactions } = useStore(signals);
  const [who, reaction] = [...reactions].at(-1) ?? [];
  const reacted = reaction && {
    name: (who && names.get(who)) ?? t('people.somebody'),
    reaction: reaction.name ? t(`reactions.names.${reaction.name}`) : reaction.emoji,
  };
  return (
    <div className="visually-hidden" role="status">
      {reacted && t('reactions.reacted', reacted)}
    </div>
  );
}
