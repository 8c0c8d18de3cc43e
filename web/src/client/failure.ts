import type { ErrorBody, ErrorCode } from './protocol';

/**
 * Why something did not happen: a code of the server, or `timeout` (no answer), `unreachable` (no server),
 * `unsupported_browser` (no WebRTC that mediasoup-client knows), `closed` (the session ended first).
 */
export type FailureCode = ErrorCode | 'timeout' | 'unreachable' | 'unsupported_browser' | 'closed';

/** The error that every promise of this library rejects with. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: FailureCode;
  /** Whether the same may succeed later without anybody changing anything. */
  readonly retryable: boolean;

  constructor(code: FailureCode, message: string, retryable = false) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }

  static of(body: ErrorBody): Failure {
    return new Failure(body.code, body.message, body.retryable);
  }

  /** Any thrown value as a failure; what is not one is a fault of this program. */
  static from(thrown: unknown): Failure {
    if (thrown instanceof Failure) return thrown;
    return new Failure('internal', thrown instanceof Error ? thrown.message : String(thrown));
  }
}

/** Whether `value` has the shape of an error body of the protocol. */
export function isErrorBody(value: unknown): value is ErrorBody {
  if (typeof value !== 'object' || value === null) return false;
  const { code, message } = value as Partial<ErrorBody>;
  return typeof code === 'string' && typeof message === 'string';
}
