import { useEffect, useRef, useState } from 'react';

interface VideoViewProps {
  track: MediaStreamTrack;
  mirrored?: boolean;
  /** The track's first picture is there. */
  onPicture?: (track: MediaStreamTrack) => void;
}

/** Shows a video track. The sound of people is played elsewhere. */
export function VideoView({ track, mirrored = false, onPicture }: VideoViewProps) {
  const element = useRef<HTMLVideoElement>(null);
  const [upright, setUpright] = useState(false);

  useEffect(() => {
    const video = element.current;
    if (!video) return;
    video.srcObject = new MediaStream([track]);
    void video.play().catch(() => {});
    return () => {
      video.srcObject = null;
    };
  }, [track]);

  return (
    <video
      ref={element}
      className={`video${mirrored ? ' mirrored' : ''}${upright ? ' upright' : ''}`}
      muted
      autoPlay
      playsInline
      disablePictureInPicture
      onLoadedData={() => onPicture?.(track)}
      onResize={({ currentTarget }) => setUpright(currentTarget.videoHeight > currentTarget.videoWidth)}
    />
  );
}
