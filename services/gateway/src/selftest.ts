/**
 * Tries an installation of Roomcast from outside: `helm test` runs it in a pod of its own.
 *
 * Two stock clients, one over long polling and one over websocket, on two gateways where there are two, exchange messages;
 * presence counts them; the broker's API has the history. Then the same through each public address. Every step says in words
 * what holds or what does not; the status is 0 when all of it holds. When something does not, every replica is asked whether it is ready, for
 * the likely cause. The room it uses is its own, and is deleted.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { lookup } from 'node:dns/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { io, type Socket } from 'socket.io-client'
import type { MessagesView, RoomView, Message } from '@roomcast/protocol'
import {
  mayUseRoom,
  parseKeys,
  parseSettings,
  SecretsFault,
  secretString,
  SettingsError,
  urls,
  watchReplicas,
  type KeyEntry,
  type Scope,
} from '@roomcast/runtime'
import { z } from 'zod'
import { likelyCause, type Health, type ServiceName } from './diagnosis.ts'

/** How long one step may take, in milliseconds. */
const STEP_LIMIT_MS = 15_000
/** How long one HTTP request may take, in milliseconds. */
const REQUEST_LIMIT_MS = 5_000
/** How long a replica may take to say whether it is ready, in milliseconds. */
const HEALTH_LIMIT_MS = 2_000
/** How often something that has to become true is looked at, in milliseconds. */
const POLL_MS = 100

const settings = {
  GATEWAYS_URL: urls(['http']).describe('One whose host resolves to every gateway, or a list.'),
  PUBLIC_URLS: urls(['http', 'https'])
    .optional()
    .describe(
      'Where clients come in: a Service, an Ingress. A host that does not resolve is passed over.',
    ),
  STICKY_URLS: urls(['http', 'https'])
    .optional()
    .describe('Those that keep a client at its gateway: tried over long polling as well.'),
  BROKER_URL: urls(['http', 'https']),
  PRESENCE_URL: urls(['http', 'https']),
  GATEWAY_HEALTH_URL: urls(['http'])
    .optional()
    .describe(
      'Metrics ports of all gateways, ready or not, as `GATEWAYS_URL`. Asked for the cause of a failure.',
    ),
  BROKER_HEALTH_URL: urls(['http']).optional(),
  PRESENCE_HEALTH_URL: urls(['http']).optional(),
  API_KEYS_FILE: z
    .string()
    .optional()
    .describe("The services' own: for each step one of the keys that may do it is presented."),
  API_KEYS: secretString().optional().describe('The same as a text.'),
}

interface Heard {
  readonly message: Message
  readonly offset: string | undefined
}

interface Client {
  readonly name: string
  readonly socket: Socket
  readonly heard: readonly Heard[]
}

/** Something that does not hold, as a sentence. */
class Failure extends Error {
  override readonly name = 'Failure'
}

const TRANSPORTS = ['polling', 'websocket'] as const
type Transport = (typeof TRANSPORTS)[number]

const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function run(env: z.output<z.ZodObject<typeof settings>>): Promise<void> {
  const [broker = ''] = env.BROKER_URL
  const [presence = ''] = env.PRESENCE_URL
  const room = `selftest-${randomBytes(6).toString('hex')}`
  const roomUrl = (base: string): string => `${base.replace(/\/$/, '')}/v1/rooms/${room}`
  const keys = await readKeys(env)
  const keyFor = (scope: Scope): KeyEntry | undefined =>
    keys.find((entry) => entry.scopes.includes(scope) && mayUseRoom(entry, room))
  const headersFor = (scope: Scope): Record<string, string> => {
    const entry = keyFor(scope)
    return entry === undefined ? {} : { authorization: `Bearer ${entry.key}` }
  }
  const clients: Client[] = []
  const join = async (
    name: string,
    url: string,
    transports: readonly Transport[],
  ): Promise<Client> => {
    const client = await connect(name, url, room, transports)
    clients.push(client)
    await ask(client, 'join', { username: name })
    return client
  }

  try {
    const gateways = await replicasOf(env.GATEWAYS_URL)
    const [first, second = first] = gateways
    if (first === undefined || second === undefined) {
      throw new Failure(`no gateway is ready behind ${env.GATEWAYS_URL.join()}`)
    }
    say(
      first === second
        ? `there is one gateway, ${first}: both clients use it`
        : `${gateways.length} gateways; alice uses ${first}, bob ${second}`,
    )

    const alice = await join('alice', first, ['polling'])
    const bob = await join('bob', second, ['websocket'])
    say('ok: alice joined over long polling, bob over websocket')

    const said = [
      await speak(alice, [alice, bob], 'from alice'),
      await speak(bob, [alice, bob], 'from bob'),
    ]
    say('ok: each heard the other, at the offset that the sender was told')

    const places = first === second ? 1 : 2
    await eventually(`presence to count 2 members on ${places} of the gateways`, async () => {
      const { online, gateways } = await getJson<z.infer<typeof RoomView>>(
        roomUrl(presence),
        headersFor('stats'),
      )
      return online === 2 && gateways === places ? undefined : `it says ${online} on ${gateways}`
    })
    say(`ok: presence counts 2 members on ${places} of the gateways`)

    const { messages } = await getJson<z.infer<typeof MessagesView>>(
      `${roomUrl(broker)}/messages`,
      headersFor('read'),
    )
    const kept = messages.flatMap(({ event, offset }) =>
      event === 'broadcast_say' ? [offset] : [],
    )
    if (kept.join() !== said.join()) {
      throw new Failure(`the history has ${kept.join() || 'nothing'}, not ${said.join()}`)
    }
    say('ok: the history has both, in their order')

    if (keys.length > 0 && keyFor('publish') === undefined) {
      say('passed over: publishing by the API, since no key may publish to any room')
    } else {
      const published = await request(`${roomUrl(broker)}/messages`, {
        method: 'POST',
        headers: { ...headersFor('publish'), 'content-type': 'application/json' },
        body: JSON.stringify({ username: 'backend', text: 'from the API' }),
      })
      const { offset } = (await published.json()) as { offset: string }
      for (const client of [alice, bob]) await hears(client, 'from the API', offset)
      say('ok: what the API publishes reaches both')
    }

    const entrances = [
      ...(env.PUBLIC_URLS ?? []).map((url) => [url, 'websocket'] as const),
      ...(env.STICKY_URLS ?? []).flatMap((url) => TRANSPORTS.map((by) => [url, by] as const)),
    ]
    for (const [url, transport] of entrances) {
      if (!(await resolves(url))) {
        say(`passed over: ${url}, whose host does not resolve here`)
        continue
      }
      const carol = await join('carol', url, [transport])
      await speak(carol, [carol, alice, bob], `through ${url} by ${transport}`)
      carol.socket.disconnect()
      say(`ok: ${url} leads to the same rooms by ${transport}`)
    }
  } finally {
    for (const { socket } of clients) socket.disconnect()
    await request(roomUrl(broker), { method: 'DELETE', headers: headersFor('delete') }).catch(
      (error: unknown) => say(`the room ${room} could not be deleted: ${inWords(error)}`),
    )
  }
}

async function readKeys(
  env: Pick<z.output<z.ZodObject<typeof settings>>, 'API_KEYS' | 'API_KEYS_FILE'>,
): Promise<readonly KeyEntry[]> {
  try {
    const text =
      env.API_KEYS_FILE === undefined ? env.API_KEYS : await readFile(env.API_KEYS_FILE, 'utf8')
    return text === undefined ? [] : parseKeys(text)
  } catch (error) {
    const why = error instanceof SecretsFault ? error.message : 'the file can not be read'
    throw new Failure(`the API keys are not usable: ${why}`, { cause: error })
  }
}

async function replicasOf(baseUrls: readonly string[]): Promise<readonly string[]> {
  const replicas = await watchReplicas(baseUrls)
  replicas.close()
  return replicas.list()
}

/** What every replica says of itself; undefined when nobody said where to ask. */
async function healthOf(
  urls: Readonly<Record<ServiceName, readonly string[] | undefined>>,
): Promise<Record<ServiceName, readonly Health[]> | undefined> {
  const { gateway, broker, presence } = urls
  if (gateway === undefined || broker === undefined || presence === undefined) return undefined
  const ask = async (urls: readonly string[]): Promise<readonly Health[]> =>
    Promise.all((await replicasOf(urls)).map(askHealth))
  return { gateway: await ask(gateway), broker: await ask(broker), presence: await ask(presence) }
}

async function askHealth(url: string): Promise<Health> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(HEALTH_LIMIT_MS) })
    return answer.ok ? { is: 'ready' } : { is: 'not_ready', reason: (await answer.text()).trim() }
  } catch {
    return { is: 'silent' }
  }
}

async function resolves(url: string): Promise<boolean> {
  try {
    await lookup(new URL(url).hostname.replace(/^\[|\]$/g, ''))
    return true
  } catch {
    // Names of an Ingress are often known outside of the cluster alone.
    return false
  }
}

async function connect(
  name: string,
  url: string,
  room: string,
  transports: readonly Transport[],
): Promise<Client> {
  const socket = io(url, {
    transports: [...transports],
    query: { roomid: room },
    forceNew: true,
    // Cookies are kept, as in a browser.
    withCredentials: true,
  })
  const heard: Heard[] = []
  socket.on('message', (message: Message, offset?: string) => heard.push({ message, offset }))
  let why = 'no answer'
  socket.on('connect_error', (error) => (why = inWords(error)))
  try {
    await eventually(`${name} to connect to ${url} by ${transports.join(' or ')}`, () =>
      socket.connected ? undefined : why,
    )
  } catch (error) {
    socket.disconnect()
    throw error
  }
  return { name, socket, heard }
}

async function ask(
  { name, socket }: Client,
  event: string,
  payload: unknown,
): Promise<Record<string, unknown>> {
  const answer = (await socket
    .timeout(STEP_LIMIT_MS)
    .emitWithAck(event, payload)
    .catch((error: unknown) => {
      throw new Failure(`${name} got no answer to ${event}`, { cause: error })
    })) as Record<string, unknown>
  if (answer['ok'] === true) return answer
  throw new Failure(`${name} was refused to ${event}: ${JSON.stringify(answer)}`)
}

/** Lets one say something and waits until all of them heard it. Returns its offset. */
async function speak(speaker: Client, listeners: readonly Client[], text: string): Promise<string> {
  const { offset } = await ask(speaker, 'say', { text })
  for (const listener of listeners) await hears(listener, text, String(offset))
  return String(offset)
}

async function hears({ name, heard }: Client, text: string, offset: string): Promise<void> {
  await eventually(`${name} to hear “${text}”`, () => {
    const found = heard.find(
      ({ message }) => message.event === 'broadcast_say' && message.data.text === text,
    )
    if (found === undefined) return 'it did not arrive'
    return found.offset === offset ? undefined : `it came at ${found.offset}, not at ${offset}`
  })
}

/** Waits until nothing speaks against it: until `objection` returns undefined. */
async function eventually(
  what: string,
  objection: () => string | undefined | Promise<string | undefined>,
): Promise<void> {
  const deadline = Date.now() + STEP_LIMIT_MS
  for (;;) {
    const why = await objection()
    if (why === undefined) return
    if (Date.now() > deadline) {
      throw new Failure(`waited ${STEP_LIMIT_MS / 1_000} s for ${what}: ${why}`)
    }
    await pause(POLL_MS)
  }
}

async function request(url: string, init: RequestInit = {}): Promise<Response> {
  const method = init.method ?? 'GET'
  let response
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(REQUEST_LIMIT_MS) })
  } catch (error) {
    throw new Failure(`${method} ${url} failed: ${inWords(error)}`, { cause: error })
  }
  if (response.ok) return response
  throw new Failure(`${method} ${url} was answered ${response.status}: ${await response.text()}`)
}

async function getJson<T>(url: string, headers: Record<string, string>): Promise<T> {
  return (await (await request(url, { headers })).json()) as T
}

/** The message of an error and of what caused it. */
function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined || error instanceof Failure
    ? error.message
    : `${error.message} (${inWords(error.cause)})`
}

try {
  const env = parseSettings(settings, process.env)
  try {
    await run(env)
    say('Roomcast works')
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    say(`failed: ${error.message}`)
    const health = await healthOf({
      gateway: env.GATEWAY_HEALTH_URL,
      broker: env.BROKER_HEALTH_URL,
      presence: env.PRESENCE_HEALTH_URL,
    })
    const cause = health && likelyCause(health)
    if (cause !== undefined) say(`likely cause: ${cause}`)
    process.exitCode = 1
  }
} catch (error) {
  if (!(error instanceof SettingsError)) throw error
  say(`failed: ${error.faults.join('; ')}`)
  process.exitCode = 1
}
