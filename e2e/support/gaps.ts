import type { Look, Person } from './person.js';

/** Begins to watch for how long a person's page shows no new frame of somebody, whatever becomes of their video. */
export async function watchGaps(person: Person, other: Look): Promise<void> {
  await person.page.evaluate((name) => {
    const gaps = { longest: 0 };
    Object.assign(globalThis, { gaps });
    let last = { frames: 0, of: undefined as HTMLVideoElement | undefined, at: performance.now() };
    setInterval(() => {
      const of = document.querySelector<HTMLVideoElement>(`[data-testid="tile"][data-name="${name}"] video`);
      const frames = of?.getVideoPlaybackQuality().totalVideoFrames ?? 0;
      if (!of || frames === 0 || (of === last.of && frames === last.frames)) return;
      const at = performance.now();
      gaps.longest = Math.max(gaps.longest, at - last.at);
      last = { frames, of, at };
    }, 10);
  }, other.name);
}

/** The longest time without a new frame since then, in ms. */
export async function longestGap(person: Person): Promise<number> {
  return person.page.evaluate(() => Math.round((globalThis as unknown as { gaps: { longest: number } }).gaps.longest));
}
