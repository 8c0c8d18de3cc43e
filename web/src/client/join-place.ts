import { Failure, isErrorBody } from './failure';
import type { JoinPlace, JoinPlaceReply } from './protocol';

const TIMEOUT_MS = 8_000;

/** Asks `origin` where to join `room` and what to bring. Rejects with a `Failure`. */
export async function joinPlace(origin: string, room: string, body: JoinPlace): Promise<JoinPlaceReply> {
  const url = new URL(`/api/v1/rooms/${encodeURIComponent(room)}/join`, origin);
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new Failure('unreachable', `${url.host} does not answer`, true);
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok && isReply(answer)) return answer;
  const error = isErrorBody(answer) ? answer : (answer as { error?: unknown } | undefined)?.error;
  if (isErrorBody(error)) throw Failure.of(error);
  // A reverse proxy answers in its own words while the server behind it is down.
  throw new Failure('unreachable', `${url.host} answered with status ${response.status}`, true);
}

function isReply(value: unknown): value is JoinPlaceReply {
  if (typeof value !== 'object' || value === null) return false;
  const { path, token } = value as Partial<JoinPlaceReply>;
  return typeof path === 'string' && typeof token === 'string';
}
