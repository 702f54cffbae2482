import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'

export interface ReadEvent {
  readonly event: string
  readonly id: string
  readonly data: { readonly text: string; readonly offset: string; readonly reason: string }
}

/** What a client of server-sent events has got, by the rules of the standard. */
export interface EventReader extends Disposable {
  readonly response: IncomingMessage
  readonly events: readonly ReadEvent[]
  readonly comments: readonly string[]
  /** The place to come back to: also an id without an event sets it. */
  lastEventId(): string
  /** Texts of the messages so far. */
  texts(): string[]
  /** Resolves when what was read satisfies the condition; rejects when the stream is over before. */
  has(condition: (events: readonly ReadEvent[]) => boolean): Promise<void>
  /** Resolves when the server has ended the stream in order. */
  ended(): Promise<void>
}

interface Message {
  readonly data: { readonly text?: string }
}

/** Opens a stream and reads it as it comes. */
export async function readEvents(
  url: string,
  headers: Record<string, string> = {},
): Promise<EventReader> {
  const req = request(url, { headers, agent: false })
  req.end()
  const [response] = (await once(req, 'response')) as [IncomingMessage]
  const events: ReadEvent[] = []
  const comments: string[] = []
  let lastEventId = ''
  let unread = ''
  let isOver = false
  let wake: () => void = () => undefined

  const take = (block: string): void => {
    let event = 'message'
    const data: string[] = []
    for (const line of block.split('\n')) {
      const [, field = '', value = ''] = /^([^:]*): ?(.*)$/.exec(line) ?? []
      if (field === '') comments.push(value)
      else if (field === 'id') lastEventId = value
      else if (field === 'event') event = value
      else if (field === 'data') data.push(value)
    }
    if (data.length === 0) return
    const parsed = JSON.parse(data.join('\n')) as ReadEvent['data'] & Partial<Message>
    const text = parsed.data?.text ?? ''
    events.push({ event, id: lastEventId, data: { ...parsed, text } })
  }
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    const blocks = (unread + chunk).split('\n\n')
    unread = blocks.pop() ?? ''
    for (const block of blocks) take(block)
    wake()
  })
  response.on('error', () => undefined)
  const closed = once(response, 'close')
  closed.then(
    () => {
      isOver = true
      wake()
    },
    () => undefined,
  )
  return {
    response,
    events,
    comments,
    lastEventId: () => lastEventId,
    texts: () => events.filter(({ event }) => event === 'message').map(({ data }) => data.text),
    async has(condition) {
      while (!condition(events)) {
        if (isOver) throw new Error(`the stream was over after ${events.length} events`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    async ended() {
      await closed
      if (!response.complete) throw new Error('the stream was cut off')
    },
    [Symbol.dispose]: () => void req.destroy(),
  }
}
