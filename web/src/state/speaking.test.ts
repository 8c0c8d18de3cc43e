import { describe, expect, it } from 'vitest';
import { SpeakingTracker } from './speaking';

const anna = '00000000000000aa';

describe('SpeakingTracker', () => {
  it('holds over the pause between words and then lets go', () => {
    const tracker = new SpeakingTracker();
    tracker.heard([{ producerId: `${anna}-mic`, level: -30 }], 1_000);
    expect(tracker.speaking(1_700)).toEqual(new Set([anna]));
    tracker.heard([{ producerId: `${anna}-mic`, level: -35 }], 1_700);
    expect(tracker.speaking(2_400)).toEqual(new Set([anna]));
    expect(tracker.speaking(2_500)).toEqual(new Set());
  });

  it('takes neither breathing nor the sound of a shared screen for speech', () => {
    const tracker = new SpeakingTracker();
    tracker.heard(
      [
        { producerId: `${anna}-mic`, level: -70 },
        { producerId: `${anna}-screenAudio`, level: -10 },
      ],
      0,
    );
    expect(tracker.speaking(1)).toEqual(new Set());
  });
});
