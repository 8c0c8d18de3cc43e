import { useState } from 'react';

/** Which tracks to show, the newest last, so that a tile keeps its last picture until the next one is there. */
export function usePictures(track: MediaStreamTrack | undefined) {
  // A track is there before its first picture, which comes from the network.
  const [pictured, setPictured] = useState<MediaStreamTrack>();
  // Until then the last picture of the track before stays, as long as that did not end.
  const before = pictured !== track && pictured?.readyState === 'live' ? pictured : undefined;
  const tracks = track ? [...(before ? [before] : []), track] : [];
  return { tracks, isPictured: tracks.some((shown) => shown === pictured), onPicture: setPictured };
}
