import { Failure, isErrorBody } from './failure';
import type { JoinPlace, JoinPlaceReply, ResumePlace, ResumePlaceReply } from './protocol';

const JOIN_MS_MAX = 8_000;
/** A reverse proxy tries the next node by itself; where even so none answers, asking again is better than waiting. */
const RESUME_MS_MAX = 3_000;

/** Asks `origin` where to join `room` and what to bring. Rejects with a `Failure`. */
export function joinPlace(origin: string, room: string, body: JoinPlace): Promise<JoinPlaceReply> {
  return ask(origin, room, 'join', body, JOIN_MS_MAX);
}

/** Asks `origin` where to come back to a session in `room`. Rejects with a `Failure`. */
export function resumePlace(origin: string, room: string, body: ResumePlace): Promise<ResumePlaceReply> {
  return ask(origin, room, 'resume', body, RESUME_MS_MAX);
}

async function ask<Reply extends ResumePlaceReply>(
  origin: string,
  room: string,
  what: 'join' | 'resume',
  body: object,
  timeoutMs: number,
): Promise<Reply> {
  const url = new URL(`/api/v1/rooms/${encodeURIComponent(room)}/${what}`, origin);
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch {
    throw new Failure('unreachable', `${url.host} does not answer`, true);
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok && isPlace(answer)) return answer as Reply;
  const error = isErrorBody(answer) ? answer : (answer as { error?: unknown } | undefined)?.error;
  if (isErrorBody(error)) throw Failure.of(error);
  // A reverse proxy answers in its own words while the server behind it is down.
  throw new Failure('unreachable', `${url.host} answered with status ${response.status}`, true);
}

function isPlace(value: unknown): value is ResumePlaceReply {
  if (typeof value !== 'object' || value === null) return false;
  const { node, path } = value as Partial<ResumePlaceReply>;
  return typeof node === 'string' && typeof path === 'string';
}
