let shared: AudioContext | undefined;

function context(): AudioContext | undefined {
  if (shared === undefined && 'AudioContext' in globalThis) shared = new AudioContext();
  if (shared?.state === 'suspended') void shared.resume().catch(() => {});
  return shared;
}

export interface LevelMeter {
  /** How loud it is now, from 0 to 1, on a scale as the ear has it. */
  read(): number;
  close(): void;
}

const QUIETEST_DB = -60;
const LOUDEST_DB = -12;

/** Measures a microphone's track. */
export function meter(track: MediaStreamTrack): LevelMeter {
  const audio = context();
  if (!audio) return { read: () => 0, close: () => {} };
  const source = audio.createMediaStreamSource(new MediaStream([track]));
  const analyser = audio.createAnalyser();
  analyser.fftSize = 1024;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return {
    read: () => {
      if (audio.state === 'suspended') void audio.resume().catch(() => {});
      analyser.getFloatTimeDomainData(samples);
      return loudness(samples);
    },
    close: () => source.disconnect(),
  };
}

export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const level = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.min(Math.max((level - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB), 0), 1);
}

/** C5, E5, G5, C6. */
const TEST_NOTES_HZ = [523.25, 659.25, 783.99, 1046.5];
const NOTE_S = 0.16;

/** Plays a short chord through the speaker with this id (empty: the default); resolves when it has faded. */
export async function playTestSound(speaker: string): Promise<void> {
  const audio = context();
  if (!audio) return;
  const out = audio.createMediaStreamDestination();
  TEST_NOTES_HZ.forEach((frequency, index) => {
    const start = audio.currentTime + 0.05 + index * NOTE_S;
    const oscillator = new OscillatorNode(audio, { type: 'sine', frequency });
    const gain = new GainNode(audio, { gain: 0 });
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(0.25, start + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.001, start + 0.7);
    oscillator.connect(gain).connect(out);
    oscillator.start(start);
    oscillator.stop(start + 0.75);
  });
  const element = new Audio();
  element.srcObject = out.stream;
  await playThrough(element, speaker);
  await element.play().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 1_400));
  element.srcObject = null;
}

/** Plays an element through a speaker, where the browser can; a speaker that is gone means the default. */
export async function playThrough(element: HTMLMediaElement, speaker: string): Promise<void> {
  if (!('setSinkId' in element) || element.sinkId === speaker) return;
  await element.setSinkId(speaker).catch(() => element.setSinkId('').catch(() => {}));
}
