import { Check, Link } from 'lucide-react';
import { useEffect, useState } from 'react';
import { roomPath } from '../../state/room-name';
import { texts } from '../texts';

const COPIED_MS = 2_000;

function useCopy(text: string): [boolean, () => void] {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  return [copied, () => void copyText(text).then(setCopied)];
}

/** False where the browser has no clipboard for this page; the link is then still in the address bar. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** The link that brings others into a room. */
export function roomLink(room: string): string {
  return new URL(roomPath(room), location.origin).href;
}

/** As a round button of the meeting's bar. */
export function CopyLinkButton({ room }: { room: string }) {
  const [copied, copy] = useCopy(roomLink(room));
  return (
    <button
      type="button"
      className="round-button tip"
      aria-label={copied ? texts.controls.copied : texts.controls.copyLink}
      data-testid="copy-link"
      onClick={copy}
    >
      {copied ? <Check aria-hidden="true" /> : <Link aria-hidden="true" />}
    </button>
  );
}

/** With the link written out. */
export function CopyLinkField({ room }: { room: string }) {
  const link = roomLink(room);
  const [copied, copy] = useCopy(link);
  return (
    <div className="copy-field">
      <span className="copy-field-link">{link.replace(/^https?:\/\//, '')}</span>
      <button type="button" className="button small" onClick={copy}>
        {copied ? <Check aria-hidden="true" /> : <Link aria-hidden="true" />}
        <span aria-live="polite">{copied ? texts.controls.copied : texts.controls.copyLink}</span>
      </button>
    </div>
  );
}
