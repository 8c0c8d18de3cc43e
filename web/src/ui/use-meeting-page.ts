import { type ComponentType, useEffect, useState } from 'react';
import { ofThisTab } from '../state/storage';
import type { MeetingPageProps } from './meeting-page';

const RETRY_MS = 3_000;
const RELOAD_MS_MIN = 60_000;
const KEY = 'hyperion.reloaded';

const load = () => import('./meeting-page');

/**
 * The meeting's page, which comes while somebody is in the green room. A server that was replaced by another version
 * meanwhile has it under another name: the page itself is loaded again then, and goes straight back into the meeting.
 */
export function useMeetingPage(needed: boolean): ComponentType<MeetingPageProps> | undefined {
  const [page, setPage] = useState<ComponentType<MeetingPageProps>>();

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const get = async () => {
      try {
        const { MeetingPage } = await load();
        setPage(() => MeetingPage);
      } catch {
        if (needed) reload();
        timer = setTimeout(get, RETRY_MS);
      }
    };
    if (!page) void get();
    return () => clearTimeout(timer);
  }, [page, needed]);

  return page;
}

/** At most once a minute, and only where that can be remembered: what is missing may be missing for another reason. */
function reload(): void {
  const now = Date.now();
  const before = Number(ofThisTab.read(KEY) ?? 0);
  if (Math.abs(now - before) < RELOAD_MS_MIN) return;
  ofThisTab.write(KEY, now);
  if (ofThisTab.read(KEY) === now) location.reload();
}
