/** The services that a gateway asks over HTTP, as they are labelled. */
export const PEERS = ['broker', 'presence'] as const
export type Peer = (typeof PEERS)[number]

/** How a request ended: well, with another status than 200, or without an answer that could be read. */
export const CALL_RESULTS = ['ok', 'refused', 'failed'] as const
export type CallResult = (typeof CALL_RESULTS)[number]

/** Told of each request when it is over. */
export type OnCall = (peer: Peer, durationMs: number, result: CallResult) => void
