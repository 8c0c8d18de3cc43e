import { describe, expect, it } from 'vitest';
import { viewLayer } from './view-layer';

describe('viewLayer', () => {
  it('is the smallest layer that fills the tile', () => {
    expect(viewLayer(280, 157, 1)).toBe(0);
    expect(viewLayer(470, 264, 1)).toBe(1);
    expect(viewLayer(1280, 720, 1)).toBe(2);
  });

  it('counts the pixels of the screen, up to a limit', () => {
    expect(viewLayer(280, 157, 2)).toBe(1);
    expect(viewLayer(280, 157, 4)).toBe(1);
  });

  it('counts what a wide tile cuts off', () => {
    expect(viewLayer(640, 180, 1)).toBe(1);
  });
});
