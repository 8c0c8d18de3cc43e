import { Failure } from './failure';
import type { NodeId, ResumePlaceReply } from './protocol';
import type { OpenSocket } from './socket';

/** How long the newest attempt may take until another node is asked for beside it. As many again may follow it. */
const PATIENCE_MS = [400, 1_500];
const ASK_AGAIN_MS = 250;
/** How often somebody whose node goes down asks where else to go while nobody answers that. */
const ASKED_MAX = 12;

export interface Attempts {
  /** The session's node, which is tried first. */
  first: ResumePlaceReply;
  /** Resumes at a node, until `signal` says that it is not needed any more. */
  open(place: ResumePlaceReply, signal: AbortSignal): Promise<OpenSocket>;
  /** Asks for another node than these. Where there is no other, one of these is the answer. */
  elsewhere(avoid: NodeId[]): Promise<ResumePlaceReply>;
}

/** A socket that was welcomed, and where. */
export interface Welcomed {
  place: ResumePlaceReply;
  socket: OpenSocket;
}

/**
 * Resumes at the session's node, and beside it at others when it fails or takes long. The first welcome counts, and
 * the other attempts are given up. When all have failed, rejects with what they say together.
 */
export async function firstWelcome({ first, open, elsewhere }: Attempts): Promise<Welcomed> {
  const over = new AbortController();
  const tried: NodeId[] = [];
  const failures: Failure[] = [];
  const running = new Set<Promise<void>>();
  let win: (welcomed: Welcomed) => void = () => {};
  const won = new Promise<Welcomed>((resolve) => {
    win = resolve;
  });

  const attempt = async (place: ResumePlaceReply): Promise<void> => {
    try {
      const socket = await open(place, over.signal);
      if (over.signal.aborted) socket.close();
      else win({ place, socket });
      over.abort();
    } catch (thrown) {
      failures.push(Failure.from(thrown));
    }
  };
  const ended = () => Promise.all(running);
  const isDecided = () => over.signal.aborted || failures.some(({ retryable }) => !retryable);

  let asked = 0;
  const another = async (): Promise<ResumePlaceReply | undefined> => {
    while (tried.length <= PATIENCE_MS.length && !isDecided()) {
      try {
        const place = await elsewhere([...tried]);
        return isDecided() || tried.includes(place.node) ? undefined : place;
      } catch (thrown) {
        const failure = Failure.from(thrown);
        if (!failure.retryable) failures.push(failure);
        asked += 1;
        // That our node goes down says nothing of the others: whether there are any was not answered yet.
        const goesDown = failures.some(({ code }) => code === 'draining') && failure.code !== 'draining';
        const insists = goesDown && asked < ASKED_MAX;
        await (insists ? pause(ASK_AGAIN_MS) : Promise.race([ended(), pause(ASK_AGAIN_MS)]));
        if (running.size === 0 && !insists) return undefined;
      }
    }
    return undefined;
  };
  const search = async (): Promise<void> => {
    for (let place: ResumePlaceReply | undefined = first; place; place = await another()) {
      const patience = pause(PATIENCE_MS[tried.length] ?? 0);
      tried.push(place.node);
      const one = attempt(place).finally(() => running.delete(one));
      running.add(one);
      await Promise.race([one, patience]);
    }
    await ended();
  };

  const welcomed = await Promise.race([won, search()]);
  if (!welcomed) throw verdict(failures);
  return welcomed;
}

/**
 * What several attempts have shown. A refusal counts, unless another attempt had no answer: that one may have taken
 * the session back without the client hearing of it, and is why the token is refused. Then the refusal is retryable.
 */
function verdict(failures: readonly Failure[]): Failure {
  const refusals = failures.filter(({ retryable }) => !retryable);
  const refusal = refusals.find(({ code }) => code === 'superseded') ?? refusals[0];
  if (refusal) return new Failure(refusal.code, refusal.message, refusals.length < failures.length);
  // A node that goes down has the last word only where there is no other.
  const passing = failures.find(({ code }) => code !== 'draining') ?? failures[0];
  return passing ?? new Failure('unreachable', 'no node answers', true);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
