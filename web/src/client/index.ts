/** The client library: joins rooms, sends and receives tracks, knows no user interface. */
export { CHAT_UNDER_WAY_MAX, type ChatState, type Message, type OwnMessage } from './chat';
export type { ConnectionState } from './connection';
export { Failure, type FailureCode } from './failure';
export { type JoinOptions, joinMeeting, type Meeting, type MeetingEvents } from './meeting';
export type { Moderated } from './moderation';
export { isModerator, may, mayModerate } from './permissions';
export type {
  AudioLevel,
  Moderation,
  ParticipantId,
  ProducerId,
  Role,
  RoomSettings,
  Signal,
  Source,
  WaitingView,
} from './protocol';
export { type Media, type Participant, participantOf, producerIdOf, sourceOf } from './roster';
export type { StreamQuality, StreamQualityReader } from './stream-quality';
export type { View } from './subscriber';
