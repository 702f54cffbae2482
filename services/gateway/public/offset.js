/** The place of a message in its room's log, written `<epoch>:<seq>`. Within one log numbers only grow, also into a new epoch. */

const OFFSET = /^([0-9a-z]{1,16}):(0|[1-9][0-9]{0,15})$/

/** The position that an offset names, or undefined when no server made this string. */
export function parseOffset(offset) {
  const match = OFFSET.exec(offset ?? '')
  return match ? { epoch: match[1], seq: Number(match[2]) } : undefined
}
