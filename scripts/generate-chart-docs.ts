// Writes what follows from charts/roomcast/values.yaml and from the settings of the services: the chart's README.md, and the
// settings in its values.schema.json. With --check it writes nothing and fails with the names of those that are not current.
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { commonSettings, type SettingsShape } from '@roomcast/runtime'
import { format, resolveConfig } from 'prettier'
import { isMap, isScalar, parseDocument, type Pair, type YAMLMap } from 'yaml'
import { z } from 'zod'
import { brokerSettings } from '../services/broker/src/config.ts'
import { gatewaySettings } from '../services/gateway/src/config.ts'
import { presenceSettings } from '../services/presence/src/config.ts'

const CHART = new URL('../charts/roomcast/', import.meta.url)

/** What more than one service reads, or all do, and people may want to change. */
const SHARED = ['HOST', 'LOG_LEVEL', 'REDIS_KEY_PREFIX', 'TEXT_MAX_BYTES']
/** What the chart sets itself, from other values. */
const OWN = [
  'PORT',
  'METRICS_PORT',
  'SHUTDOWN_TIMEOUT_MS',
  'INTERNAL_TOKEN',
  'API_KEYS',
  'REDIS_URL',
  'WAIT_REPLICAS',
  'BROKER_URL',
  'PRESENCE_URL',
  'ADVERTISE_ADDRESS',
  'POD_IP',
  'POD_NAME',
  'POD_NAMESPACE',
  'PRESENCE_PEERS',
  'GATEWAY_SELECTOR',
  'LEASE_NAME',
  'POD_DELETION_COST',
  'REBALANCE',
  'REBALANCE_TOLERANCE_PERCENT',
  'REBALANCE_BATCH_PERCENT',
  'REBALANCE_INTERVAL_MS',
  'EXTERNAL_METRICS_PORT',
  'EXTERNAL_METRICS_CERT_FILE',
  'EXTERNAL_METRICS_KEY_FILE',
  'KUBERNETES_SERVICE_HOST',
  'KUBECONFIG',
  'DRAIN_PROPAGATION_MS',
  'DRAIN_SPREAD_MS',
  'AFFINITY_COOKIE',
  'TRUSTED_PROXIES',
  'MAX_CONNECTIONS',
  'CONNECTIONS_PER_ADDRESS',
  'CONNECTIONS_PER_USER',
  'CONNECT_RATE_PER_SECOND',
  'CONNECT_RATE_PER_ADDRESS',
  'JOIN_RATE_PER_ADDRESS',
  'ROOM_RATE_PER_SECOND',
  'HTTP_RATE_PER_SECOND',
]

/** A value with what its comment says. */
interface Row {
  readonly path: string
  readonly value: string
  readonly meaning: string
}
interface Section {
  readonly title: string
  readonly rows: readonly Row[]
}

/** PING_INTERVAL_MS as the chart's values call it: pingIntervalMs. */
function valueName(variable: string): string {
  return variable.toLowerCase().replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())
}

/** The JSON Schema of what a values file may say for an environment variable. */
function valueSchema(setting: z.ZodType): Record<string, unknown> {
  let isList = false
  const visit = (type: z.ZodType): Record<string, unknown> => {
    if (type instanceof z.ZodDefault || type instanceof z.ZodOptional) {
      return visit(type.unwrap() as z.ZodType)
    }
    if (type instanceof z.ZodNumber) {
      return { type: 'integer', minimum: type.minValue, maximum: type.maxValue }
    }
    if (type instanceof z.ZodEnum) {
      const options = type.options.map(String)
      return options.join() === 'true,false' ? { type: 'boolean' } : { enum: options }
    }
    if (type instanceof z.ZodPipe) {
      const [from, to] = [type.in as z.ZodType, type.out as z.ZodType]
      if (to instanceof z.ZodTransform) {
        const inner = visit(from)
        isList ||= inner['type'] === 'string'
        return inner
      }
      isList = false
      return visit(to)
    }
    return { type: 'string' }
  }
  const schema = visit(setting)
  return isList && schema['type'] === 'string'
    ? { oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }] }
    : schema
}

function settingsSchema(shape: SettingsShape, names: readonly string[]): Record<string, unknown> {
  const properties = names.flatMap((name) => {
    const setting = shape[name]
    return setting === undefined ? [] : [[valueName(name), valueSchema(setting)] as const]
  })
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(properties),
  }
}

const own = (shape: SettingsShape): readonly string[] =>
  Object.keys(shape).filter((name) => !OWN.includes(name) && !SHARED.includes(name))

const SETTINGS: Readonly<Record<string, Record<string, unknown>>> = {
  sharedSettings: settingsSchema({ ...commonSettings, ...brokerSettings }, SHARED),
  gatewaySettings: settingsSchema(gatewaySettings, own(gatewaySettings)),
  brokerSettings: settingsSchema(brokerSettings, own(brokerSettings)),
  presenceSettings: settingsSchema(presenceSettings, own(presenceSettings)),
}

/** The text of a comment, without what stands above the last heading in it. */
function uncomment(text: string): string {
  const lines = text.split('\n').map((line) => line.trim())
  return lines
    .slice(lines.findLastIndex((line) => line.startsWith('---')) + 1)
    .join(' ')
    .trim()
}

/** A whole tree that is one value: a list, an empty map, or what Kubernetes takes as it is. */
function isLeaf(value: unknown, comment: string): value is YAMLMap {
  return !isMap(value) || value.items.length === 0 || (comment !== '' && !hasComments(value))
}

function hasComments(map: YAMLMap): boolean {
  return map.items.some(
    ({ key, value }, i) =>
      (i === 0 ? map.commentBefore : isScalar(key) && key.commentBefore) ||
      (isMap(value) && hasComments(value)),
  )
}

/** Every value below a map in the order of the file. Throws when one has no comment of its own. */
function rowsOf(map: YAMLMap, prefix: string): Row[] {
  return map.items.flatMap(({ key, value }: Pair, i) => {
    if (!isScalar(key)) throw new Error('a key of values.yaml is not a word')
    const path = prefix + String(key.value)
    const comment = uncomment((i === 0 ? map.commentBefore : undefined) ?? key.commentBefore ?? '')
    if (!isLeaf(value, comment) && isMap(value)) {
      const rows = rowsOf(value, `${path}.`)
      return comment === '' ? rows : [{ path, value: '', meaning: comment }, ...rows]
    }
    if (comment === '') throw new Error(`${path} has no comment above it`)
    const json = JSON.stringify((value as { toJSON(): unknown }).toJSON())
    return [{ path, value: `\`${json}\``, meaning: comment }]
  })
}

/** The values by the headings of the file: lines of comment that begin with `---`. */
function sectionsOf(text: string): Section[] {
  const root = parseDocument(text).contents
  if (!isMap(root)) throw new Error('values.yaml is not a map')
  const titles = new Map<string, string>()
  let title = ''
  for (const line of text.split('\n')) {
    title = /^# --- (.*)$/.exec(line)?.[1] ?? title
    const key = /^(\w+):/.exec(line)?.[1]
    if (key !== undefined) titles.set(key, title)
  }
  const sections = new Map<string, Row[]>()
  for (const row of rowsOf(root, '')) {
    const heading = titles.get(row.path.split('.')[0] ?? '') ?? ''
    sections.set(heading, [...(sections.get(heading) ?? []), row])
  }
  return [...sections].map(([title, rows]) => ({ title, rows }))
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

function readme(values: string, version: string): string {
  const sections = sectionsOf(values).map(
    ({ title, rows }) =>
      `### ${title}\n\n| Value | Default | Meaning |\n| --- | --- | --- |\n${rows
        .map(({ path, value, meaning }) => `| \`${path}\` | ${cell(value)} | ${cell(meaning)} |`)
        .join('\n')}`,
  )
  const settings = Object.entries(SETTINGS).map(([name, schema]) => {
    const where = name === 'sharedSettings' ? 'settings' : name.replace('Settings', '.settings')
    const names = Object.keys(schema['properties'] as object).map((key) => `\`${key}\``)
    return `- \`${where}\`: ${names.join(', ')}`
  })
  return `<!-- Generated from values.yaml by scripts/generate-chart-docs.ts: change it there. -->

# Roomcast ${version}

Multi-room real-time chat that speaks Socket.IO. Works with Helm 3 and Helm 4 on Kubernetes 1.27 and later.

\`\`\`sh
helm install chat charts/roomcast
helm test chat
\`\`\`

Nothing has to be set: there is a Valkey in the release, and secrets are generated. What is open then, and how to close it, is said after the installation. \`helm test --logs\` tells each step; with Helm 3 only when the test fails, since it deletes the pod of a test that succeeds first.

## Upgrading

\`helm upgrade\` keeps the generated secrets: it reads them from the cluster. Tools that render without a cluster (\`helm template\`, some GitOps tools) would make new ones each time; give them Secrets of your own with \`internalToken.existingSecret\`, \`redis.embedded.auth.existingSecret\` and \`apiKeys.existingSecret\`. Pods are replaced when a secret of this chart changes; after a change of a Secret of your own run \`kubectl rollout restart\`.

## Settings of the services

Everything in docs/config.md that the chart does not set itself, in camelCase:

${settings.join('\n')}

A certificate of your own for \`rediss://\`: mount it with \`extraVolumes\` and \`extraVolumeMounts\`, and name it in \`NODE_EXTRA_CA_CERTS\` with \`extraEnv\`.

## Values

${sections.join('\n\n')}
`
}

async function current(): Promise<ReadonlyMap<string, string>> {
  const read = (name: string): Promise<string> => readFile(new URL(name, CHART), 'utf8')
  const { version } = parseDocument(await read('Chart.yaml')).toJS() as { version: string }
  const schema = JSON.parse(await read('values.schema.json')) as {
    definitions: Record<string, unknown>
  }
  const definitions = { ...schema.definitions, ...SETTINGS }
  return new Map([
    ['README.md', readme(await read('values.yaml'), version)],
    ['values.schema.json', JSON.stringify({ ...schema, definitions })],
  ])
}

const isCheck = process.argv.includes('--check')
for (const [name, content] of await current()) {
  const file = fileURLToPath(new URL(name, CHART))
  const wanted = await format(content, { ...(await resolveConfig(file)), filepath: file })
  const found = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === wanted) continue
  if (isCheck) {
    console.error(
      `charts/roomcast/${name} is not current: node --conditions=source scripts/generate-chart-docs.ts`,
    )
    process.exitCode = 1
  } else {
    await writeFile(file, wanted)
    console.log(`charts/roomcast/${name} written`)
  }
}
