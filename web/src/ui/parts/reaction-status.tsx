import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Signals } from '../../state/signals';

/** How long what was said stands, before the next is said. */
const SAID_MS = 4_000;

interface ReactionStatusProps {
  signals: Signals;
  selfId: string;
  names: ReadonlyMap<string, string>;
}

/** What others show of this moment, for who does not see it: now and then, as a whole room may applaud. */
export function ReactionStatus({ signals, selfId, names }: ReactionStatusProps) {
  const { t } = useTranslation();
  const [said, setSaid] = useState<{ who: string; what: string; others: number }>();

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const say = () => {
      if (timer !== undefined) return;
      const others = [...signals.get().reactions].filter(([who]) => who !== selfId);
      const [who, reaction] = others.at(-1) ?? [];
      if (!who || !reaction) return setSaid(undefined);
      const what = reaction.name ? t(`reactions.names.${reaction.name}`) : reaction.emoji;
      setSaid({ who, what, others: others.length - 1 });
      timer = setTimeout(() => {
        timer = undefined;
        say();
      }, SAID_MS);
    };
    const off = signals.subscribe(say);
    return () => {
      off();
      clearTimeout(timer);
    };
  }, [signals, selfId, t]);

  const name = (said && names.get(said.who)) ?? t('people.somebody');
  return (
    <div className="visually-hidden" role="status">
      {said &&
        (said.others > 0
          ? t('reactions.several', { reaction: said.what })
          : t('reactions.reacted', { name, reaction: said.what }))}
    </div>
  );
}
