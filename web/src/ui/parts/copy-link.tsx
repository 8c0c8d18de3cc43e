import { Check, Link, TriangleAlert } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { roomPath } from '../../state/room-name';
import { MiddleCut } from './middle-cut';

const SHOWN_MS = 2_000;

type Copied = 'no' | 'yes' | 'failed';

function useCopy(text: string): [Copied, () => void] {
  const [copied, setCopied] = useState<Copied>('no');
  useEffect(() => {
    if (copied !== 'yes') return;
    const timer = setTimeout(() => setCopied('no'), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    setCopied((await copyText(text)) ? 'yes' : 'failed');
  };
  return [copied, () => void copy()];
}

/** False where the browser has no clipboard for this page; the link is then still in the address bar. */
export async function copyText(text: string): Promise<boolean> {
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

/** With the link written out. */
export function CopyLinkField({ room }: { room: string }) {
  const { t } = useTranslation();
  const link = roomLink(room);
  const [copied, copy] = useCopy(link);
  const written = useRef<HTMLSpanElement>(null);

  useEffect(() => {
    if (copied === 'failed' && written.current) getSelection()?.selectAllChildren(written.current);
  }, [copied]);

  const says = ({ no: 'copyLink', yes: 'copied', failed: 'notCopied' } as const)[copied];
  const Icon = { no: Link, yes: Check, failed: TriangleAlert }[copied];
  return (
    <div className={`copy-field ${copied === 'failed' ? 'whole' : ''}`}>
      {copied === 'failed' ? (
        <span ref={written} className="copy-field-link">
          {link}
        </span>
      ) : (
        <MiddleCut className="copy-field-link" text={link.replace(/^https?:\/\//, '')} />
      )}
      <button type="button" className="button small" onClick={copy}>
        <Icon aria-hidden="true" />
        <span aria-live="polite">{t(`controls.${says}`)}</span>
      </button>
    </div>
  );
}
