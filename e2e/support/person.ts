import type { Browser, BrowserContext, Locator, Page } from '@playwright/test';
import { expect } from '@playwright/test';
import type { Link } from './link.js';
import { type Portrait, sitForPortrait } from './portrait.js';
import { serveWebDist } from './web-dist.js';

/** What a person sends: a colour to be seen and a tone to be heard. */
export interface Look {
  name: string;
  /** Red, green, blue, 0 to 255. */
  colour: [number, number, number];
  /** In Hz. */
  tone: number;
  /** Whether the tone comes in syllables: encoders treat speech in a way of its own. */
  speaking?: boolean;
  /** Whether much moves in the picture. */
  busy?: boolean;
  /** The name of the error with which the browser gives no device at all. */
  refusal?: string;
}

export const ANNA: Look = { name: 'Anna', colour: [220, 40, 40], tone: 440 };
export const BEN: Look = { name: 'Ben', colour: [40, 180, 60], tone: 880 };
export const CARA: Look = { name: 'Cara', colour: [50, 70, 220], tone: 1320 };
export const DAVID: Look = { name: 'David', colour: [220, 200, 40], tone: 1760 };

export interface PersonOptions {
  viewport?: { width: number; height: number };
  colorScheme?: 'dark' | 'light';
  /** The browser's language, as `de-DE`; English by default. */
  locale?: string;
  /** Another way to the server than the straight one. */
  link?: Link;
  /** Somebody to look at in place of a colour. */
  portrait?: Portrait;
  /** The size of the picture that the camera gives; so small that it is sent in one size only by default. */
  camera?: { width: number; height: number };
  /** What to send video with, as `VP9`; the browser's and server's first by default. */
  videoCodec?: string;
  /** The video codecs that the browser is to be without, as `VP9`. */
  lacks?: string[];
  /** The layers of the video that the page sends, as `L1T3`. */
  scalabilityMode?: string;
  /** Whether media may go by TURN only. */
  relayed?: boolean;
  /** What they have on their screen; the browser's own test picture by default. */
  screen?: Screen;
}

/** A screen: a page of fine stripes, with a field of a colour in its middle, and a tone to be heard. */
export interface Screen {
  colour: [number, number, number];
  /** In Hz; none by default. */
  tone?: number;
  width: number;
  height: number;
}

const WIDTH = 320;
const HEIGHT = 180;
export const FPS = 15;

/** Replaces the devices by a canvas of the person's colour and an oscillator of their tone. Everything behind
 *  them (capture, encoders, network, decoders, playout) is the browser's own. */
function devices(look: Look & { width: number; height: number; fps: number }): void {
  const { paint } = globalThis as { paint?: (context: CanvasRenderingContext2D, frame: number) => void };
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    if (look.refusal) throw new DOMException('no device', look.refusal);
    const stream = new MediaStream();
    if (constraints?.video) {
      const canvas = document.createElement('canvas');
      canvas.width = look.width;
      canvas.height = look.height;
      const context = canvas.getContext('2d');
      let frame = 0;
      setInterval(() => {
        if (!context) return;
        if (paint) {
          paint(context, frame++);
          return;
        }
        const [red, green, blue] = look.colour;
        context.fillStyle = `rgb(${red} ${green} ${blue})`;
        context.fillRect(0, 0, canvas.width, canvas.height);
        // A moving mark, so that every frame differs, away from the middle where the colour is read.
        context.fillStyle = 'white';
        context.fillRect((frame++ * 7) % canvas.width, 4, 12, 12);
        for (let mark = 0; look.busy && mark < 60; mark++) {
          context.fillStyle = `hsl(${Math.random() * 360} 80% 50%)`;
          context.fillRect(Math.random() * canvas.width, canvas.height * (0.7 + Math.random() * 0.3), 8, 8);
        }
      }, 1000 / look.fps);
      for (const track of canvas.captureStream(look.fps).getVideoTracks()) stream.addTrack(track);
    }
    if (constraints?.audio) {
      const audio = new AudioContext();
      const out = audio.createMediaStreamDestination();
      if (look.speaking) {
        // A throat whose pitch wanders, a mouth that opens and closes, four syllables a second.
        const throat = new OscillatorNode(audio, { type: 'sawtooth', frequency: look.tone });
        const mouth = new BiquadFilterNode(audio, { type: 'bandpass', frequency: 900, Q: 1 });
        const syllables = new GainNode(audio, { gain: 0 });
        const wave = (frequency: number, depth: number, of: AudioParam) => {
          const oscillator = new OscillatorNode(audio, { frequency });
          oscillator.connect(new GainNode(audio, { gain: depth })).connect(of);
          oscillator.start();
        };
        wave(0.43, look.tone / 5, throat.frequency);
        wave(0.7, 500, mouth.frequency);
        wave(2, 0.8, syllables.gain);
        throat.connect(mouth).connect(syllables).connect(out);
        throat.start();
      } else {
        const oscillator = new OscillatorNode(audio, { frequency: look.tone });
        oscillator.connect(new GainNode(audio, { gain: 0.3 })).connect(out);
        oscillator.start();
      }
      for (const track of out.stream.getAudioTracks()) stream.addTrack(track);
    }
    return stream;
  };
}

/** The same of the screen. */
function display({ colour, tone, width, height }: Screen): void {
  navigator.mediaDevices.getDisplayMedia = async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d');
    let frame = 0;
    const paint = () => {
      if (!context) return;
      if (frame === 0) {
        context.fillStyle = 'white';
        context.fillRect(0, 0, width, height);
        context.fillStyle = 'black';
        for (let x = 0; x < width; x += 4) context.fillRect(x, 0, 2, height / 4);
        context.fillStyle = `rgb(${colour.join(' ')})`;
        context.fillRect(width * 0.3, height * 0.4, width * 0.4, height * 0.3);
      }
      // A moving mark, so that every frame differs.
      context.fillStyle = 'white';
      context.fillRect(0, height - 40, width, 40);
      context.fillStyle = 'black';
      context.fillRect((frame++ * 13) % width, height - 30, 20, 20);
    };
    paint();
    setInterval(paint, 1000 / 30);
    const stream = canvas.captureStream(30);
    if (tone) {
      const audio = new AudioContext();
      const out = audio.createMediaStreamDestination();
      const oscillator = new OscillatorNode(audio, { frequency: tone });
      oscillator.connect(new GainNode(audio, { gain: 0.3 })).connect(out);
      oscillator.start();
      for (const track of out.stream.getAudioTracks()) stream.addTrack(track);
    }
    return stream;
  };
}

/** Lets tests look at whatever the page opens. */
function keepPeerConnections(): void {
  const opened: RTCPeerConnection[] = [];
  Object.assign(globalThis, { peerConnections: opened });
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      opened.push(this);
    }
  };
}

/** As in a network that lets nothing but TURN through. */
function relayOnly(): void {
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super({ ...configuration, iceTransportPolicy: 'relay' });
    }
  };
}

/** Chooses what the page sends video with. */
function prefer(videoCodec: string): void {
  localStorage.setItem('hyperion.preferences', JSON.stringify({ videoCodec }));
}

/** Sends video in layers. Chromium offers the dependency descriptor only where they are asked for from the start. */
function sendLayers(scalabilityMode: string): void {
  const { addTransceiver } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.addTransceiver = function (track, init) {
    const layered = init?.sendEncodings?.map((encoding) => Object.assign(encoding, { scalabilityMode }));
    const isVideo = typeof track !== 'string' && track.kind === 'video';
    return addTransceiver.call(this, track, isVideo && layered ? { ...init, sendEncodings: layered } : init);
  };
}

/** Hides video codecs from the page, which learns what there is from offers. */
function hideCodecs(names: string[]): void {
  interface Connection {
    createOffer(options?: unknown): Promise<RTCSessionDescriptionInit>;
    setLocalDescription(description?: RTCSessionDescriptionInit): Promise<void>;
  }
  const connection = RTCPeerConnection.prototype as unknown as Connection;
  const { createOffer, setLocalDescription } = connection;
  const replaced = ({ type, sdp = '' }: RTCSessionDescriptionInit, from: string, to: string) => ({
    type,
    sdp: names.reduce((text, name) => text.replaceAll(` ${from}${name}/90000`, ` ${to}${name}/90000`), sdp),
  });
  connection.createOffer = async function (this: Connection, options) {
    return replaced(await createOffer.call(this, options), '', 'hidden-');
  };
  connection.setLocalDescription = function (this: Connection, description) {
    return setLocalDescription.call(this, description && replaced(description, 'hidden-', ''));
  };
}

/** One person at one browser page. */
export class Person {
  private constructor(
    readonly look: Look,
    readonly page: Page,
    readonly context: BrowserContext,
  ) {}

  /** Opens the room's green room and joins. */
  static async join(browser: Browser, room: string, look: Look, options?: PersonOptions): Promise<Person> {
    const person = await Person.open(browser, room, look, options);
    await person.enter();
    return person;
  }

  /** Opens the room's green room. */
  static async open(browser: Browser, room: string, look: Look, options: PersonOptions = {}): Promise<Person> {
    const { viewport = { width: 1280, height: 720 }, colorScheme = 'light', locale = 'en-US', link, portrait } = options;
    const { videoCodec, lacks, scalabilityMode, relayed, screen } = options;
    const context = await browser.newContext({
      viewport,
      colorScheme,
      locale,
      permissions: ['camera', 'microphone'],
      ...(link && { proxy: { server: link.proxyUrl } }),
    });
    await serveWebDist(context);
    const page = await context.newPage();
    await link?.leadMediaOf(page);
    if (videoCodec) await page.addInitScript(prefer, videoCodec);
    if (lacks) await page.addInitScript(hideCodecs, lacks);
    if (scalabilityMode) await page.addInitScript(sendLayers, scalabilityMode);
    if (relayed) await page.addInitScript(relayOnly);
    await page.addInitScript(keepPeerConnections);
    page.on('pageerror', (error) => {
      // Firefox runs the scripts above in its empty first page too, which has no devices and no storage.
      if (page.url() !== 'about:blank') console.error(`${look.name}'s page: ${error.message}`);
    });
    if (portrait) await page.addInitScript(sitForPortrait, portrait);
    if (screen) await page.addInitScript(display, screen);
    const size = options.camera ?? { width: WIDTH * (portrait ? 2 : 1), height: HEIGHT * (portrait ? 2 : 1) };
    await page.addInitScript(devices, { ...look, ...size, fps: FPS });
    await page.goto(room);
    return new Person(look, page, context);
  }

  /** The person at a page that is open already, as the desktop client's; it goes to the room's green room. */
  static async at(page: Page, room: string, look: Look): Promise<Person> {
    await page.addInitScript(keepPeerConnections);
    await page.addInitScript(devices, { ...look, width: WIDTH, height: HEIGHT, fps: FPS });
    await page.goto(room);
    return new Person(look, page, page.context());
  }

  async enter(): Promise<void> {
    await this.page.getByTestId('name-input').pressSequentially(this.look.name);
    await this.page.getByTestId('join').click();
    await expect(this.page.getByTestId('leave')).toBeVisible();
  }

  /** The screen that somebody shares, on the stage. */
  screenTile(look: Look): Locator {
    return this.page.locator(`[data-testid="screen-tile"][data-name="${look.name}"]`);
  }

  /** Waits until the other's screen is shown with new frames, whole and in its own size. */
  async seesScreen(other: Look, screen: Screen): Promise<void> {
    const video = this.screenTile(other).locator('video').last();
    await expect(async () => {
      const before = await framesOf(video);
      const seen = await pixelOf(video);
      expect(seen.size).toEqual([screen.width, screen.height]);
      for (const [index, value] of screen.colour.entries()) {
        expect(Math.abs((seen.colour[index] ?? 0) - value), `${this.look.name} sees ${seen.colour}`).toBeLessThan(40);
      }
      await expect.poll(() => framesOf(video), { timeout: 2000 }).toBeGreaterThan(before + 2);
    }).toPass({ timeout: 30_000 });
  }

  tile(look: Look): Locator {
    return this.page.locator(`[data-testid="tile"][data-name="${look.name}"]`);
  }

  /** The other's picture; for a moment the last one of before is under it. */
  private video(other: Look): Locator {
    return this.tile(other).locator('video').last();
  }

  /** Waits until the other's tile shows new frames of the other's colour, in the size in which it was sent. */
  async sees(other: Look): Promise<void> {
    const video = this.video(other);
    await expect(async () => {
      const before = await framesOf(video);
      const seen = await pixelOf(video);
      expect(seen.size).toEqual([WIDTH, HEIGHT]);
      for (const [index, value] of other.colour.entries()) {
        expect(Math.abs((seen.colour[index] ?? 0) - value), `${this.look.name} sees ${seen.colour}`).toBeLessThan(40);
      }
      await expect.poll(() => framesOf(video), { timeout: 2000 }).toBeGreaterThan(before + 5);
    }).toPass({ timeout: 30_000 });
  }

  /** How many of the other's frames were shown so far. */
  async frames(other: Look): Promise<number> {
    return framesOf(this.video(other));
  }

  /** Waits until the loudest tone that comes from the other is the other's. */
  async hears(other: Look): Promise<void> {
    await expect
      .poll(() => this.loudest(other), { timeout: 30_000, message: `${this.look.name} hears ${other.name}` })
      .toBeCloseTo(other.tone, -2);
  }

  /** Waits until nothing is heard of the other. */
  async hearsNothingOf(other: Look): Promise<void> {
    await expect.poll(() => this.loudest(other), { timeout: 15_000 }).toBe(0);
  }

  /** The loudest frequency in what the page plays of the other, in Hz; 0 for silence. */
  async loudest(other: Look, source: 'mic' | 'screenAudio' = 'mic'): Promise<number> {
    const id = await this.tile(other).getAttribute('data-participant-id');
    return this.page.evaluate(async ([participantId, source]) => {
      const media = [...document.querySelectorAll<HTMLMediaElement>('audio, video')].find(
        (element) =>
          element.closest<HTMLElement>('[data-participant-id]')?.dataset.participantId === participantId &&
          (element.dataset.source ?? 'mic') === source &&
          element.srcObject instanceof MediaStream &&
          element.srcObject.getAudioTracks().length > 0 &&
          !element.muted &&
          !element.paused,
      );
      if (!media) return 0;
      const context = new AudioContext();
      try {
        const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
        const source = context.createMediaStreamSource(media.srcObject as MediaStream);
        source.connect(analyser);
        // Until what the analyser looks at came in after it was connected, and the track's own buffer before it.
        const filled = context.currentTime + (2 * analyser.fftSize) / context.sampleRate;
        while (context.currentTime < filled) await new Promise(requestAnimationFrame);
        const levels = new Float32Array(analyser.frequencyBinCount);
        analyser.getFloatFrequencyData(levels);
        const loudest = levels.reduce((best, level, index) => (level > (levels[best] ?? -Infinity) ? index : best), 0);
        return (levels[loudest] ?? -Infinity) < -60 ? 0 : (loudest * context.sampleRate) / analyser.fftSize;
      } finally {
        await context.close();
      }
    }, [id, source]);
  }

  /** Watches the page from now on for tiles that go away and for notices; returns a way to read what was seen. */
  async departures(): Promise<() => Promise<string[]>> {
    await this.page.evaluate(() => {
      const seen: string[] = [];
      new MutationObserver((changes) => {
        for (const node of changes.flatMap(({ removedNodes }) => [...removedNodes])) {
          if (node instanceof HTMLElement && (node.matches('.tile') || node.querySelector('.tile'))) {
            seen.push(`gone: ${node.textContent}`);
          }
        }
        const notice = document.querySelector('[data-testid="notices"]')?.textContent ?? '';
        if (/left/.test(notice)) seen.push(notice);
      }).observe(document.body, { childList: true, subtree: true, characterData: true });
      Object.assign(globalThis, { departures: seen });
    });
    return () => this.page.evaluate(() => (globalThis as unknown as { departures: string[] }).departures);
  }

  /** Watches all pictures, or those `of` some, from now on; returns a way to read for how long one stood still at most,
   *  in milliseconds. */
  async standstill(of?: Look[]): Promise<() => Promise<number>> {
    const names = of?.map(({ name }) => name);
    await this.page.evaluate((names) => {
      const last = new Map<string, { frames: number; at: number }>();
      let longest = 0;
      const timer = setInterval(() => {
        for (const tile of document.querySelectorAll<HTMLElement>('[data-testid="tile"]')) {
          const video = [...tile.querySelectorAll('video')].at(-1);
          const frames = video?.getVideoPlaybackQuality().totalVideoFrames ?? -1;
          const name = tile.dataset.name ?? '';
          if (names && !names.includes(name)) continue;
          const before = last.get(name);
          const now = performance.now();
          if (before) longest = Math.max(longest, now - before.at);
          if (frames !== before?.frames) last.set(name, { frames, at: now });
        }
      }, 20);
      Object.assign(globalThis, {
        standstill: () => {
          clearInterval(timer);
          return longest;
        },
      });
    }, names);
    return () => this.page.evaluate(() => (globalThis as unknown as { standstill(): number }).standstill());
  }

  /** Opens the chat if it is closed. */
  async openChat(): Promise<void> {
    const toggle = this.page.getByTestId('toggle-chat');
    if ((await toggle.getAttribute('aria-expanded')) === 'false') await toggle.click();
    await expect(this.page.getByTestId('chat-panel')).toBeVisible();
  }

  /** Writes to everybody in the room. */
  async write(text: string): Promise<void> {
    await this.openChat();
    await this.page.getByTestId('chat-input').fill(text);
    await this.page.getByTestId('chat-input').press('Enter');
  }

  /** What the chat shows of what the room has, in its order. */
  get messages(): Locator {
    return this.page.getByTestId('chat-message');
  }

  /** One's own messages that the room has not yet. */
  get messagesUnderWay(): Locator {
    return this.page.getByTestId('chat-own');
  }

  /** How media goes from the page, of each connection that is in use: `host udp`, `relay udp`, … */
  async ways(): Promise<string[]> {
    return this.page.evaluate(async () => {
      const { peerConnections } = globalThis as unknown as { peerConnections: RTCPeerConnection[] };
      const ways: string[] = [];
      for (const connection of peerConnections.filter(({ connectionState }) => connectionState === 'connected')) {
        const stats = await connection.getStats();
        for (const { type, selectedCandidatePairId } of stats.values()) {
          if (type !== 'transport') continue;
          const pair = stats.get(selectedCandidatePairId) as { localCandidateId: string } | undefined;
          const { candidateType, protocol } = stats.get(pair?.localCandidateId ?? '') ?? { candidateType: 'none' };
          ways.push(`${candidateType} ${protocol}`);
        }
      }
      return ways;
    });
  }

  async leave(): Promise<void> {
    await this.page.getByTestId('leave').click();
    await expect(this.page.getByTestId('rejoin')).toBeVisible();
    await this.context.close();
  }
}

/** People who join a room one after the other, and see and hear each other. */
export async function joinAll<L extends Look[]>(browser: Browser, room: string, looks: [...L]) {
  const people: Person[] = [];
  for (const look of looks) people.push(await Person.join(browser, room, look));
  await meetAll(people);
  return people as { [I in keyof L]: Person };
}

/** Waits until all see and hear each other. */
export async function meetAll(people: readonly Person[]): Promise<void> {
  for (const [index, person] of people.entries()) {
    for (const other of people.slice(index + 1)) await meet(person, other);
  }
}

/** Waits until two see and hear each other. */
export async function meet(one: Person, other: Person): Promise<void> {
  await Promise.all([one.sees(other.look), other.sees(one.look)]);
  await Promise.all([one.hears(other.look), other.hears(one.look)]);
}

async function framesOf(video: Locator): Promise<number> {
  return video.evaluate((element) => {
    const video = element as HTMLVideoElement & { mozPaintedFrames?: number };
    // Firefox leaves streams out of its quality.
    return video.mozPaintedFrames ?? video.getVideoPlaybackQuality().totalVideoFrames;
  });
}

/** The picture's size and the colour of its middle. */
async function pixelOf(video: Locator): Promise<{ size: number[]; colour: number[] }> {
  return video.evaluate((element) => {
    const video = element as HTMLVideoElement;
    const canvas = document.createElement('canvas');
    canvas.width = 1;
    canvas.height = 1;
    const context = canvas.getContext('2d');
    if (!context) throw new Error('no 2d context');
    const { videoWidth: width, videoHeight: height } = video;
    context.drawImage(video, width / 2, height / 2, 1, 1, 0, 0, 1, 1);
    return { size: [width, height], colour: [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)] };
  });
}
