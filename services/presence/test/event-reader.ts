/** What a client of server-sent events got so far. */
export interface EventReader extends AsyncDisposable {
  readonly status: number
  readonly headers: Headers
  /** Events of this name, in order. */
  of<T>(name: string): readonly T[]
  readonly comments: readonly string[]
  /** Whether the server has ended the stream in order. */
  hasEnded(): boolean
}

/** Opens `/v1/events` and reads it as it comes. */
export async function readEvents(
  url: string,
  headers: Record<string, string> = {},
): Promise<EventReader> {
  const aborted = new AbortController()
  const response = await fetch(`${url}/v1/events`, { headers, signal: aborted.signal })
  const events: { readonly name: string; readonly data: unknown }[] = []
  const comments: string[] = []
  let hasEnded = false

  const take = (block: string): void => {
    const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? []
    if (name !== undefined && data !== undefined) events.push({ name, data: JSON.parse(data) })
    else if (block.startsWith(': ')) comments.push(block.slice(2))
  }
  const read = async (): Promise<void> => {
    let unread = ''
    for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const blocks = (unread + part).split('\n\n')
      unread = blocks.pop() ?? ''
      for (const block of blocks) take(block)
    }
    hasEnded = true
  }
  // Cut off, by us or by the server: not an end in order.
  const reading = read().catch(() => undefined)
  return {
    status: response.status,
    headers: response.headers,
    of: <T>(name: string) =>
      events.filter((event) => event.name === name).map(({ data }) => data as T),
    comments,
    hasEnded: () => hasEnded,
    async [Symbol.asyncDispose]() {
      aborted.abort()
      await reading
    },
  }
}
