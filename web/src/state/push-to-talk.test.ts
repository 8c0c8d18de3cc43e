import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LocalMediaState } from './local-media';
import { PushToTalk } from './push-to-talk';
import { Store } from './store';

/** Of a page: what matches which selectors. */
class FakeElement {
  readonly is: string[];
  constructor(...is: string[]) {
    this.is = is;
  }
  closest(selectors: string) {
    return selectors.split(', ').some((selector) => this.is.includes(selector)) ? this : null;
  }
}

describe('PushToTalk', () => {
  beforeEach(() => void vi.stubGlobal('Element', FakeElement));
  afterEach(() => void vi.unstubAllGlobals());

  function page({ on = false, readyState = 'live' } = {}) {
    const media = new Store({ mic: { on, track: { readyState } } } as LocalMediaState);
    const talk = new PushToTalk(media, (now) => media.update({ mic: { ...media.get().mic, on: now } }));
    const key = (more: object = {}) => ({
      key: ' ',
      defaultPrevented: false,
      repeat: false,
      ctrlKey: false,
      metaKey: false,
      altKey: false,
      target: null,
      preventDefault: vi.fn(),
      ...more,
    });
    return { talk, key, isOn: () => media.get().mic.on };
  }
  const at = (...is: string[]) => ({ target: new FakeElement(...is) as unknown as EventTarget });

  it('lets one speak while the key is held', () => {
    const { talk, key, isOn } = page();
    talk.pressed(key());
    talk.pressed(key({ repeat: true }));
    expect(isOn()).toBe(true);
    talk.released(key());
    expect(isOn()).toBe(false);
  });

  it('mutes again when another window comes in front', () => {
    const { talk, key, isOn } = page();
    talk.pressed(key());
    talk.released();
    expect(isOn()).toBe(false);
  });

  it('does not mute who is on already', () => {
    const { talk, key, isOn } = page({ on: true });
    talk.pressed(key());
    talk.released(key());
    expect(isOn()).toBe(true);
  });

  it('asks for no microphone that was never opened', () => {
    const { talk, key, isOn } = page({ readyState: 'ended' });
    const event = key();
    talk.pressed(event);
    expect([isOn(), event.preventDefault.mock.calls.length]).toEqual([false, 0]);
  });

  it('leaves the key to who types, chooses or walks with the keyboard', () => {
    const { talk, key, isOn } = page();
    for (const target of [at('textarea'), at('[role="menuitem"]'), at('[role="switch"]'), at('button')]) {
      const event = key(target);
      talk.pressed(event);
      expect([isOn(), event.preventDefault.mock.calls.length]).toEqual([false, 0]);
    }
  });

  it('takes the key from a button that was only clicked, until somebody walks with the keyboard', () => {
    const { talk, key, isOn } = page();
    const button = at('button');
    talk.clicked(button);
    talk.pressed(key(button));
    expect(isOn()).toBe(true);
    talk.released(key());
    talk.pressed(key({ key: 'Tab' }));
    talk.pressed(key(button));
    expect(isOn()).toBe(false);
  });
});
