/**
 * The W3C trace context (`traceparent`) of a message that is traced: where its next span belongs. It goes with the message from the
 * gateway that took it to those that deliver it, and is no part of what clients get.
 */
export const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/
