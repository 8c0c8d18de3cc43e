/** The channels of the server's page. */
export const MEETING = 'meeting';
export const LISTENS = 'listens-for-rooms';
export const TOGGLE_MUTE = 'toggle-mute';
export const OPEN_ROOM = 'open-room';
/** The channels of own pages. */
export const QUESTION = 'question';
export const ANSWER = 'answer';
