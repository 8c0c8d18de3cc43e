import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Heartbeat } from './heartbeat';

describe('Heartbeat', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('asks once a second and stays quiet while it is answered', () => {
    const onSilent = vi.fn();
    const heartbeat: Heartbeat = new Heartbeat(() => {
      beats += 1;
      heartbeat.heard();
    }, onSilent);
    let beats = 0;
    vi.advanceTimersByTime(10_000);
    expect(beats).toBe(10);
    expect(onSilent).not.toHaveBeenCalled();
  });

  it('reports two seconds of silence, once', () => {
    const onSilent = vi.fn();
    new Heartbeat(() => {}, onSilent);
    vi.advanceTimersByTime(1_900);
    expect(onSilent).not.toHaveBeenCalled();
    vi.advanceTimersByTime(5_000);
    expect(onSilent).toHaveBeenCalledOnce();
  });

  it('does not take a page that was asleep for a dead network', () => {
    const onSilent = vi.fn();
    let now = 0;
    const heartbeat = new Heartbeat(
      () => {},
      onSilent,
      () => now,
    );
    now = 60_000;
    vi.advanceTimersByTime(250);
    expect(onSilent).not.toHaveBeenCalled();
    heartbeat.stop();
  });
});
