import { Volume2 } from 'lucide-react';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Source } from '../../client';
import { playThrough } from '../../state/audio-tools';
import { Banner } from './banner';

interface Sound {
  /** Unique to the track's source. */
  key: string;
  participantId: string;
  source: Source;
  track: MediaStreamTrack;
}

/** Plays what others say, and asks for a click where the browser wants one first. */
export function AudioSinks({ sounds, speaker }: { sounds: readonly Sound[]; speaker: string }) {
  const { t } = useTranslation();
  const container = useRef<HTMLDivElement>(null);
  const [blocked, setBlocked] = useState(false);
  const onBlocked = useCallback(() => setBlocked(true), []);

  const playAll = () => {
    setBlocked(false);
    for (const audio of container.current?.querySelectorAll('audio') ?? []) {
      audio.play().catch(onBlocked);
    }
  };

  return (
    <>
      <div ref={container} hidden>
        {sounds.map(({ key, ...sound }) => (
          <AudioSink key={key} {...sound} speaker={speaker} onBlocked={onBlocked} />
        ))}
      </div>
      {blocked && (
        <Banner role="alert" testId="sound-blocked">
          <Volume2 aria-hidden="true" />
          <p>{t('meeting.soundBlocked')}</p>
          <button type="button" className="button small primary" onClick={playAll}>
            {t('meeting.turnOnSound')}
          </button>
        </Banner>
      )}
    </>
  );
}

interface AudioSinkProps extends Omit<Sound, 'key'> {
  speaker: string;
  onBlocked: () => void;
}

/** Plays a sound; what its track was before goes on until the next one plays. */
function AudioSink({ track, ...rest }: AudioSinkProps) {
  const [playing, setPlaying] = useState<MediaStreamTrack>();
  const before = playing !== track && playing?.readyState === 'live' ? [playing] : [];
  return [...before, track].map((one) => <TrackSink key={one.id} track={one} onPlaying={setPlaying} {...rest} />);
}

interface TrackSinkProps extends AudioSinkProps {
  onPlaying: (track: MediaStreamTrack) => void;
}

function TrackSink({ participantId, source, track, speaker, onBlocked, onPlaying }: TrackSinkProps) {
  const element = useRef<HTMLAudioElement>(null);

  useEffect(() => {
    const audio = element.current;
    if (!audio) return;
    audio.srcObject = new MediaStream([track]);
    audio.play().catch((error: DOMException) => {
      if (error.name === 'NotAllowedError') onBlocked();
    });
    return () => {
      audio.srcObject = null;
    };
  }, [track, onBlocked]);

  useEffect(() => {
    if (element.current) void playThrough(element.current, speaker);
  }, [speaker]);

  return (
    // biome-ignore lint/a11y/useMediaCaption: live speech has no caption track.
    <audio
      ref={element}
      autoPlay
      data-testid="participant-audio"
      data-participant-id={participantId}
      data-source={source}
      onPlaying={() => onPlaying(track)}
    />
  );
}
