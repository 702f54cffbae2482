interface Connection {
  close(discard: boolean): void
}

/**
 * Tells whether a polling request is the one before it once more. Clients mark each with a new `t`; a proxy that lost the answer asks
 * again with the same. What that answer carried would be lost without anybody noticing, so the connection is ended: its client comes
 * back and is recovered from the last message that it got.
 */
export function createRepeatedPolls(): (
  connection: Connection,
  request: { readonly method: string | undefined; readonly t: unknown },
) => boolean {
  const last = new WeakMap<Connection, string>()
  return (connection, { method, t }) => {
    if (method !== 'GET' || typeof t !== 'string') return false
    const isRepeated = last.get(connection) === t
    last.set(connection, t)
    return isRepeated
  }
}
