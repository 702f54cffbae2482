import { Writable } from 'node:stream'
import { RoomId } from '@roomcast/protocol'
import { createMemoryLog, type RoomLog } from '@roomcast/roomlog'
import { createLog, startTelemetry } from '@roomcast/runtime'
import '@roomcast/runtime/instrument'
import { parseConfig, startBroker, type Broker, type Config } from '@roomcast/broker'

export const JSON_TYPE = 'application/json'
export const KEY = 'a-key-that-is-long-enough'

/** A broker on ports of its own with a log in memory. */
export interface StartedBroker {
  readonly broker: Broker
  readonly url: string
  readonly roomLog: RoomLog
  /** What it logged so far. */
  logged(): string
  get(path: string, init?: RequestInit): Promise<Answer>
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>
  /** Publishes one message of each text to a room, as Alice. Returns their offsets. */
  say(room: RoomId, ...texts: string[]): Promise<string[]>
  metrics(): Promise<string>
  ready(): Promise<Response>
  [Symbol.asyncDispose](): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly type: string
  readonly headers: Headers
  readonly body: Body
}

/** Whatever an answer may have. */
export interface Body {
  readonly id: string
  readonly offset: string
  readonly complete: boolean
  readonly messages: readonly {
    readonly id: string
    readonly room: string
    readonly offset: string
    readonly data: { readonly text: string }
  }[]
  readonly code: string
  readonly detail: string
  readonly retryAfterMs: number
  readonly errors: readonly { readonly path: string; readonly message: string }[]
}

let rooms = 0
/** A room that no other test uses. */
export function newRoom(): RoomId {
  return RoomId.parse(`room ${++rooms}/é?#%`)
}

export function roomPath(room: string): string {
  return `/v1/rooms/${encodeURIComponent(room)}`
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  return {
    status: response.status,
    type: response.headers.get('content-type') ?? '',
    headers: response.headers,
    body: (text === '' ? {} : JSON.parse(text)) as Body,
  }
}

export async function startTestBroker(
  config: Partial<Config> = {},
  { roomLog = createMemoryLog(), now = Date.now }: { roomLog?: RoomLog; now?: () => number } = {},
): Promise<StartedBroker> {
  let lines = ''
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines += chunk.toString()
      done()
    },
  })
  const telemetry = startTelemetry('broker', 'test')
  const broker = await startBroker(
    {
      ...parseConfig({
        REDIS_URL: 'redis://unused:6379',
        HOST: '127.0.0.1',
        METRICS_PORT: '0',
        PORT: '0',
      }),
      ...config,
    },
    { log: createLog('broker', config.logLevel ?? 'debug', destination), telemetry, roomLog, now },
  )
  const url = `http://127.0.0.1:${broker.port}`
  const health = `http://127.0.0.1:${broker.metricsPort}`
  const post: StartedBroker['post'] = async (path, body, headers = {}) =>
    answerOf(
      await fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': JSON_TYPE, ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    )
  return {
    broker,
    url,
    roomLog,
    logged: () => lines,
    get: async (path, init = {}) => answerOf(await fetch(url + path, init)),
    post,
    async say(room, ...texts) {
      const offsets: string[] = []
      for (const text of texts) {
        const { body } = await post(`${roomPath(room)}/messages`, { username: 'Alice', text })
        offsets.push(body.offset)
      }
      return offsets
    },
    metrics: async () => (await fetch(`${health}/metrics`)).text(),
    ready: () => fetch(`${health}/readyz`),
    async [Symbol.asyncDispose]() {
      await broker.close()
      await telemetry.close()
      await roomLog.close()
    },
  }
}
