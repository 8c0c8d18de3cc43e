import type { types } from 'mediasoup-client';

/** The codecs of which several sizes are sent, each as a stream of its own. */
const LAYERED = /vp8|h264/i;

/** From how many lines a camera is sent in three and in two sizes. Below that Chromium would leave the larger out. */
const THREE_FROM = 540;
const TWO_FROM = 270;

/** One layer in time in each size: the server drops none. With the three that Chromium takes where nothing is said, a
 *  receiver does not wait for what is repeated to it of the upper two: at 5 % loss and 50 ms it left out every fifth
 *  frame. */
const SCALABILITY_MODE = 'L1T1';

/** In bit/s, from the smallest picture to the largest. */
const BITRATES = [150_000, 500_000, 1_200_000];

/**
 * A screen is sent in its whole size only, as text that is scaled cannot be read; but with few frames too, for those whose
 * path carries no more.
 */
const SCREEN_ENCODINGS: types.RtpEncodingParameters[] = [
  { scaleResolutionDownBy: 1, maxBitrate: 400_000, maxFramerate: 5 },
  { scaleResolutionDownBy: 1, maxBitrate: 2_500_000, maxFramerate: 30 },
];

/** The sizes in which a camera of `height` lines is sent, the smallest first: each viewer gets the one that fits. */
export function cameraEncodings(height: number, mimeType: string): types.RtpEncodingParameters[] {
  const sizes = height >= THREE_FROM ? 3 : height >= TWO_FROM ? 2 : 1;
  const bitrates = sizes === 1 ? BITRATES.slice(1, 2) : BITRATES.slice(0, sizes);
  const encodings = bitrates.map((maxBitrate, layer) => ({
    scaleResolutionDownBy: 2 ** (bitrates.length - 1 - layer),
    maxBitrate,
  }));
  return layered(encodings, mimeType);
}

/** The layers in which a shared screen is sent, that with few frames first. */
export function screenEncodings(mimeType: string): types.RtpEncodingParameters[] {
  return layered(SCREEN_ENCODINGS, mimeType);
}

function layered(encodings: types.RtpEncodingParameters[], mimeType: string): types.RtpEncodingParameters[] {
  if (!LAYERED.test(mimeType)) return encodings.slice(-1);
  return encodings.map((encoding) => ({ ...encoding, scalabilityMode: SCALABILITY_MODE }));
}
