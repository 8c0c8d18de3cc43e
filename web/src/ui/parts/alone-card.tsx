import { X } from 'lucide-react';
import { useState } from 'react';
import { isLoopback } from '../../state/browser';
import { texts } from '../texts';
import { CopyLinkField } from './copy-link';

/** For who waits alone: the link to send. */
export function AloneCard({ room }: { room: string }) {
  const [dismissed, setDismissed] = useState(false);
  if (dismissed) return null;
  return (
    <section className="card alone" aria-labelledby="alone-title">
      <div className="card-head">
        <h2 id="alone-title">{texts.meeting.aloneTitle}</h2>
        <button
          type="button"
          className="icon-button"
          aria-label={texts.meeting.dismiss}
          onClick={() => setDismissed(true)}
        >
          <X aria-hidden="true" />
        </button>
      </div>
      <p>{isLoopback() ? texts.meeting.aloneOnLoopback : texts.meeting.alone}</p>
      <CopyLinkField room={room} />
    </section>
  );
}
