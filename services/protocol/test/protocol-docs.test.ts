import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import {
  AppendResponse,
  decodeAppendRequest,
  encodeAppendRequest,
  ERROR_CODES,
  GatewaysView,
  HistoryView,
  GatewayToPresence,
  BansView,
  BanRequest,
  Disconnect,
  Disconnected,
  History,
  Kick,
  Moderated,
  Join,
  LOGGED_EVENTS,
  Members,
  MembersView,
  MessagesView,
  MessageView,
  parseOffset,
  PresenceToGateway,
  Problem,
  publish,
  publishBatch,
  Published,
  PublishedBatch,
  Refresh,
  RoomsView,
  RoomView,
  say,
  StatsView,
  type ErrorCode,
  type HistoryPage,
  type Joined,
  type Left,
  type Message,
  type Refreshed,
  type Refusal,
  type Said,
} from '@roomcast/protocol'
import * as limits from '../src/limits.ts'
import { z } from 'zod'

/** Fewer would mean that the extraction is broken. */
const EXAMPLES_MIN = 30

const page = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')

const code = z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]])
const isPassing = ({ code: name, retryAfterMs }: { code: ErrorCode; retryAfterMs?: number }) =>
  ERROR_CODES[name].retryable === (retryAfterMs !== undefined)
const refusal = { code, message: z.string(), retryAfterMs: z.number().exactOptional() }

const username = z.string()
const user = z.string().exactOptional()
const readOnly = z.literal(true).exactOptional()
const message = <E extends string, D extends z.ZodRawShape>(event: E, data: D) =>
  z.strictObject({ event: z.literal(event), room: z.string(), data: z.strictObject(data) })
const logged = { ts: z.number() }
const messages = z.discriminatedUnion('event', [
  message('join', { username, user }).extend(logged),
  message('broadcast_quit', { username, user }).extend(logged),
  message('broadcast_say', {
    username,
    user,
    text: z.string(),
    type: z.union([z.number(), z.string()]).exactOptional(),
    data: z.unknown().exactOptional(),
  }).extend({ ...logged, id: z.string() }),
  message('kicked', { user: z.string(), reason: z.string().exactOptional() }).extend(logged),
  message('banned', {
    user: z.string(),
    reason: z.string().exactOptional(),
    until: z.int().exactOptional(),
  }).extend(logged),
  message('deleted', { offset: z.string(), id: z.string().exactOptional() }).extend(logged),
  message('cleared', {}).extend(logged),
  message('joined', { username, user, online: z.int(), readOnly }),
  message('count', { online: z.int() }),
  message('error', refusal).refine(({ data }) => isPassing(data)),
]) satisfies z.ZodType<Message>

const ok = z.literal(true)
const offset = z.string().refine((text) => parseOffset(text) !== undefined)

/** What an example of each kind has to be. Answers and messages have no schema of their own: nothing of ours reads them. */
const KINDS: Readonly<Record<string, z.ZodType>> = {
  join: Join,
  say: say(),
  history: History,
  'joined-answer': z.strictObject({
    ok,
    room: z.string(),
    username,
    online: z.int(),
    user,
    readOnly,
    offset,
  }) satisfies z.ZodType<Joined>,
  'said-answer': z.strictObject({ ok, id: z.string(), offset }) satisfies z.ZodType<Said>,
  refresh: Refresh,
  'refreshed-answer': z.strictObject({
    ok,
    expiresAt: z.number().exactOptional(),
    readOnly,
  }) satisfies z.ZodType<Refreshed>,
  'left-answer': z.strictObject({ ok }) satisfies z.ZodType<Left>,
  'history-answer': z.strictObject({
    ok,
    messages: z.array(MessageView) as unknown as z.ZodType<HistoryPage['messages']>,
    offset,
    complete: z.boolean(),
  }) satisfies z.ZodType<HistoryPage>,
  refusal: z
    .strictObject({ ok: z.literal(false), ...refusal })
    .refine(isPassing) satisfies z.ZodType<Refusal>,
  message: messages,
  problem: Problem,
  publish: publish(),
  published: Published,
  'publish-batch': publishBatch(),
  'published-batch': PublishedBatch,
  'messages-page': MessagesView,
  kick: Kick,
  ban: BanRequest,
  moderated: Moderated,
  bans: BansView,
  disconnect: Disconnect,
  disconnected: Disconnected,
  stats: StatsView,
  gateways: GatewaysView,
  'history-view': HistoryView,
  rooms: RoomsView,
  room: RoomView,
  members: Members,
  'members-answer': MembersView.extend({ ok }),
  'members-view': MembersView,
  'append-answer': AppendResponse,
  'from-gateway': GatewayToPresence,
  'from-presence': PresenceToGateway,
}

interface Example {
  readonly kind: string
  /** Where it begins in the page. */
  readonly line: number
  readonly text: string
}

function fences(language: string): Example[] {
  const blocks = page.matchAll(/^```(\w+)(?: ([\w-]+))?\n([^]*?)^```$/gm)
  return [...blocks].flatMap(({ index, 1: found, 2: kind = '', 3: text = '' }) =>
    found === language ? [{ kind, line: page.slice(0, index).split('\n').length, text }] : [],
  )
}

/** Cells of the rows whose first one is code, of every table with this heading. */
function rows(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  return [...section.matchAll(/^\| *`(\w+)` *\|(.*)\|$/gm)].map(([, name = '', rest = '']) => [
    name,
    ...rest.split('|').map((cell) => cell.trim()),
  ])
}

const examples = fences('json')

describe('an example in docs/protocol.md', () => {
  it('is found', () => expect(examples.length).toBeGreaterThanOrEqual(EXAMPLES_MIN))

  it.each(examples)('in line $line is a valid $kind, to the last field', ({ kind, text }) => {
    const schema = KINDS[kind]
    if (schema === undefined) throw new Error(`no such kind of example: "${kind}"`)
    const example: unknown = JSON.parse(text)
    const parsed = schema.parse(example)
    // Unknown fields are dropped by the schemas; an example has none. Offsets become positions and are left to the schema.
    if (kind === 'history')
      expect(Object.keys(parsed as object)).toEqual(Object.keys(example as object))
    else expect(parsed).toEqual(example)
  })

  it('is there for every kind', () => {
    expect(new Set(examples.map(({ kind }) => kind))).toEqual(new Set(Object.keys(KINDS)))
  })

  it('is there for every event that a server sends', () => {
    const shown = examples.flatMap(({ kind, text }) =>
      kind === 'message' ? [messages.parse(JSON.parse(text)).event] : [],
    )
    expect(shown.toSorted()).toEqual([...LOGGED_EVENTS, 'count', 'error', 'joined'].toSorted())
  })

  it('of an append request is one that a gateway makes', () => {
    const requests = fences('text').filter(({ kind }) => kind === 'append')
    expect(requests).toHaveLength(1)
    for (const { text } of requests) {
      const batches = decodeAppendRequest(text)
      expect(encodeAppendRequest(batches)).toBe(text)
      for (const { messages: sent } of batches)
        for (const { payload } of sent) messages.parse(JSON.parse(payload))
    }
  })
})

it('docs/protocol.md has every error code, with its status and whether to try again', () => {
  expect(rows('Errors').map((cells) => cells.slice(0, 3))).toEqual(
    Object.entries(ERROR_CODES).map(([name, { status, retryable }]) => [
      name,
      `${status}`,
      retryable ? 'yes' : 'no',
    ]),
  )
})

it('docs/protocol.md has every limit, with its value', () => {
  const stated = rows('Limits').map(([name = '', value = '']) => [
    name,
    Number(value.replaceAll(',', '')),
  ])
  expect(Object.fromEntries(stated)).toEqual({ ...limits })
})
