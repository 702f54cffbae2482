/**
 * Limits of the protocol that no setting changes. What an operator may change is a setting of the service
 * that enforces it (docs/config.md); the defaults of those settings are here too when two services share them.
 */

/** Characters (Unicode code points) of a room id. */
export const ROOM_ID_MAX_CHARS = 128
/** Characters of a member's name after trimming. */
export const NAME_MAX_CHARS = 64
/** Default of `TEXT_MAX_BYTES`: UTF-8 bytes of a message's text. */
export const TEXT_MAX_BYTES = 4_096
/** Characters of `type` when it is a string. */
export const TYPE_MAX_CHARS = 32
/** UTF-8 bytes of `data` as JSON. */
export const DATA_MAX_BYTES = 16_384
/** Levels of nesting in `data`. `JSON.stringify` and Socket.IO's search for binary parts recurse; deeper input could end the process. */
export const DATA_MAX_DEPTH = 32
/** Characters of a client's own message id. */
export const CLIENT_ID_MAX_CHARS = 64
/** Messages that one history request may ask for. */
export const HISTORY_LIMIT_MAX = 200
/** Messages that a history request gets when it does not say. */
export const HISTORY_LIMIT_DEFAULT = 50
/** Users that a `members` request may ask to be listed; a room with more than were asked for is told in numbers alone. */
export const MEMBERS_LIMIT_MAX = 500
/** Users that are listed when a request does not say. */
export const MEMBERS_LIMIT_DEFAULT = 100
/** Users that `GET /v1/rooms/{room}/members` may be asked to list. */
export const MEMBERS_HTTP_LIMIT_MAX = 10_000
/** Messages in one `POST /v1/messages`. */
export const PUBLISH_BATCH_MAX = 100
/** Seconds that a long poll may wait: below the 60 s after which common proxies cut a silent request. */
export const LONG_POLL_MAX_SECONDS = 55
/** Messages that one gateway appends to one room in one batch. */
export const APPEND_BATCH_MAX = 256
/** Room batches in one append request. */
export const APPEND_ROOMS_MAX = 256
/** Bytes of one append request: the largest batch of the largest messages, with room for the header lines. */
export const APPEND_REQUEST_MAX_BYTES = 16 * 1_048_576
/** Default of `MAX_PAYLOAD_BYTES`: bytes of one Engine.IO packet or polling body, enough for the largest `say` with every character escaped. */
export const MAX_PAYLOAD_BYTES = 131_072
/** Default of `ROOMS_PER_CONNECTION`: namespaces, the main one included, that one connection may enter. */
export const ROOMS_PER_CONNECTION_MAX = 100
/** `say`s that a socket which has not joined yet may have waiting for its `join`. */
export const EARLY_SAY_MAX = 16
/** How long such a `say` waits, in milliseconds. */
export const EARLY_SAY_WAIT_MS = 1_000
