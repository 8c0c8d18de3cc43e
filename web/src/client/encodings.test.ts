import { describe, expect, it } from 'vitest';
import { cameraEncodings } from './encodings';

describe('cameraEncodings', () => {
  it('sends a large picture in three sizes and a small one as it is', () => {
    const scales = (height: number) => cameraEncodings(height, 'video/VP8').map((one) => one.scaleResolutionDownBy);
    expect(scales(720)).toEqual([4, 2, 1]);
    expect(scales(360)).toEqual([2, 1]);
    expect(scales(180)).toEqual([1]);
  });

  it('sends no layers in time', () => {
    for (const height of [720, 180]) {
      for (const { scalabilityMode } of cameraEncodings(height, 'video/VP8')) expect(scalabilityMode).toBe('L1T1');
    }
  });

  it('sends codecs that have layers of their own as one stream, in full size', () => {
    expect(cameraEncodings(720, 'video/AV1')).toEqual([{ scaleResolutionDownBy: 1, maxBitrate: 1_200_000 }]);
  });
});
