import type { Message } from '../client';

/** Messages that one person wrote one after the other. */
export interface MessageGroup {
  readonly participantId: string;
  /** What they were called when they wrote the first. */
  readonly name: string;
  readonly own: boolean;
  readonly timeMs: number;
  /** Whether messages before it are not known: one was away for longer than the room tells. */
  readonly afterGap: boolean;
  readonly messages: readonly Message[];
}

/** After a pause the time is said again. */
const GROUP_MS_MAX = 5 * 60_000;

export function groupMessages(messages: readonly Message[]): MessageGroup[] {
  const groups: (MessageGroup & { messages: Message[] })[] = [];
  let before: Message | undefined;
  for (const message of messages) {
    const { participantId, name, own, timeMs } = message;
    const group = groups.at(-1);
    const afterGap = before !== undefined && message.number !== before.number + 1;
    const follows = group?.participantId === participantId && timeMs - group.timeMs < GROUP_MS_MAX && !afterGap;
    if (follows) group.messages.push(message);
    else groups.push({ participantId, name, own, timeMs, afterGap, messages: [message] });
    before = message;
  }
  return groups;
}
