import { X } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { isLoopback } from '../../state/browser';
import { useFocusKept } from '../use-focus';
import { CopyLinkField } from './copy-link';

const DEFAULT_PORT = '4400';

/** For who waits alone: the link to send. */
export function AloneCard({ room }: { room: string }) {
  const [dismissed, setDismissed] = useState(false);
  return dismissed ? null : <Card room={room} onDismiss={() => setDismissed(true)} />;
}

function Card({ room, onDismiss }: { room: string; onDismiss: () => void }) {
  const { t } = useTranslation();
  const ref = useFocusKept<HTMLElement>();
  return (
    <section ref={ref} className="card alone" aria-labelledby="alone-title">
      <div className="card-head">
        <h2 id="alone-title">{t('meeting.aloneTitle')}</h2>
        <button type="button" className="icon-button" aria-label={t('meeting.dismiss')} onClick={onDismiss}>
          <X aria-hidden="true" />
        </button>
      </div>
      <p>{isLoopback() ? <OnLoopback /> : t('meeting.alone')}</p>
      <CopyLinkField room={room} />
    </section>
  );
}

function OnLoopback() {
  const { t } = useTranslation();
  const flags = `--listen 0.0.0.0:${location.port || DEFAULT_PORT} --open`;
  const [before, after] = t('meeting.aloneOnLoopback', { flags: '\n' }).split('\n');
  return (
    <>
      {before}
      <code>{flags}</code>
      {after}
    </>
  );
}
