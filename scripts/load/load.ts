/**
 * npm run load -- --url URL[,URL...] --connections N --rooms M --rate R [--duration SECONDS]
 *                 [--transport websocket|polling|mixed] [--text-bytes N] [--json FILE]
 *                 [--token TOKEN | --jwt-secret SECRET | --token-command COMMAND]
 *
 * Drives a deployment: N members in M rooms, all of whom talk in turn, R messages a second together. Members come back when their
 * connection breaks and ask to be recovered, as stock clients do. Shows how it goes each second; at the end latencies, and whether any
 * message was lost, doubled, out of order or not the same for all. The status is 1 when one was. Where tokens are required members share the
 * one that is given, or get one each: made by the secret, or printed by the command, which has the member's name in $ROOMCAST_USER.
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { TEXT_MAX_BYTES } from '@roomcast/protocol'
import { credentialsOf } from '../clients/credentials.ts'
import { TAG_BYTES } from '../clients/text.ts'
import { drive, type LoadResult, type Totals } from './drive.ts'
import { TRANSPORTS } from './squad.ts'

/** What the ports and open files of one machine allow. */
const CONNECTIONS_MAX = 20_000
const PER_SECOND_MAX = 100_000
const SECONDS_MAX = 86_400

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    connections: { type: 'string', default: '100' },
    rooms: { type: 'string', default: '10' },
    rate: { type: 'string', default: '10' },
    duration: { type: 'string', default: '30' },
    transport: { type: 'string', default: 'websocket' },
    'text-bytes': { type: 'string', default: '64' },
    json: { type: 'string' },
    token: { type: 'string' },
    'jwt-secret': { type: 'string' },
    'token-command': { type: 'string' },
  },
})

function refuse(sentence: string): never {
  process.stderr.write(`${sentence}\n`)
  process.exit(78)
}

function number(name: keyof typeof values, least: number, most: number): number {
  const value = Number(values[name])
  if (Number.isInteger(value) && value >= least && value <= most) return value
  refuse(`--${name} takes a whole number from ${least} to ${most}`)
}

const urls = values.url.split(',')
for (const url of urls) if (!URL.canParse(url)) refuse(`--url: ${url} is no URL`)
if (!urls.every((url) => /^https?:$/.test(new URL(url).protocol)))
  refuse('--url takes http:// and https://')
const transport = TRANSPORTS.find((name) => name === values.transport)
if (transport === undefined) refuse(`--transport takes ${TRANSPORTS.join(', ')}`)
const credentials = credentialsOf({
  token: values.token,
  secret: values['jwt-secret'],
  command: values['token-command'],
})
if (credentials === undefined)
  refuse('--token, --jwt-secret and --token-command exclude each other')
const connections = number('connections', 1, CONNECTIONS_MAX)

const print = (line: string): void => void process.stdout.write(`${line}\n`)
/** One line that changes, on a terminal; else a line each time. */
const isTerminal = process.stdout.isTTY
let before: Totals | undefined

function show(phase: string, totals: Totals): void {
  const { connected, seconds, window } = totals
  const span = seconds - (before?.seconds ?? 0)
  const rate = (of: (totals: Totals) => number): string =>
    ((of(totals) - (before === undefined ? 0 : of(before))) / span).toFixed(0)
  const line = [
    `${seconds.toFixed(0).padStart(4)} s ${phase}: ${connected} of ${connections} joined`,
    `${rate(({ sent }) => sent)} said and ${rate(({ deliveries }) => deliveries)} delivered a second`,
    ...(window.count > 0 ? [`p50 ${window.p50.toFixed(1)} p99 ${window.p99.toFixed(1)} ms`] : []),
    ...(totals.disconnects > 0
      ? [`${totals.disconnects} broken, ${totals.recovered} recovered`]
      : []),
    `${totals.violations} violations`,
  ].join(', ')
  before = totals
  process.stdout.write(isTerminal ? `\r\u001B[2K${line}` : `${line}\n`)
}

function report({ totals, latency, violations, examples }: LoadResult): void {
  const ms = (value: number): string => `${value.toFixed(1)} ms`
  if (isTerminal) print('')
  print(`said ${totals.sent}, acknowledged ${totals.acknowledged}, delivered ${totals.deliveries}`)
  print(
    `latency p50 ${ms(latency.p50)}, p90 ${ms(latency.p90)}, p99 ${ms(latency.p99)}, p99.9 ${ms(latency.p999)}, longest ${ms(latency.max)}`,
  )
  if (totals.disconnects > 0)
    print(
      `${totals.disconnects} connections broke: ${totals.recovered} recovered, ${totals.told} told that they were not`,
    )
  for (const [code, count] of Object.entries(totals.refused)) print(`${count} refused: ${code}`)
  if (totals.epochs > 0) print(`${totals.epochs} members saw a log begin anew`)
  for (const example of examples) print(`violation: ${example}`)
  print(`${violations} violations`)
}

try {
  const result = await drive(
    {
      urls,
      connections,
      rooms: number('rooms', 1, connections),
      perSecond: number('rate', 1, PER_SECOND_MAX),
      durationMs: 1_000 * number('duration', 1, SECONDS_MAX),
      transport,
      credentials,
      textBytes: number('text-bytes', TAG_BYTES, TEXT_MAX_BYTES),
    },
    show,
  )
  report(result)
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify(result, null, 2)}\n`)
  process.exitCode = result.violations === 0 ? 0 : 1
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
