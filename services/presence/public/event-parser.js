/** Characters of one event; more is not from our server. */
const EVENT_MAX_CHARS = 8_000_000

/**
 * Reads server-sent events from text that comes in pieces of any size. `onEvent(name, data)` gets each event that has data; comments,
 * ids and retry times are passed over.
 */
export function createEventParser(onEvent) {
  let unread = ''
  let name = ''
  let data = []
  let size = 0

  function take(line) {
    if (line === '') {
      if (data.length > 0) onEvent(name || 'message', data.join('\n'))
      name = ''
      data = []
      size = 0
      return
    }
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') name = value
    else if (field === 'data') data.push(value)
  }

  return {
    feed(text) {
      const lines = (unread + text).split('\n')
      unread = lines.pop()
      for (const line of lines) {
        size += line.length
        take(line.endsWith('\r') ? line.slice(0, -1) : line)
      }
      if (size + unread.length > EVENT_MAX_CHARS) throw new Error('an event that is too long')
    },
  }
}
