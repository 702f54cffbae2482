import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { startProcess, until } from './processes.ts'
import { freePort } from './redis.ts'

export interface ScrapeTarget {
  /** Base URL; `/metrics` is added. */
  readonly url: string
  /** What discovery in a cluster would add to each of its series. */
  readonly labels: Readonly<Record<string, string>>
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>
  /** NaN where PromQL has that. */
  readonly value: number
}

export interface TestPrometheus extends AsyncDisposable {
  /** The series of a query, as it is now. Rejects when Prometheus refuses the query. */
  query(expr: string): Promise<Series[]>
  /** Each rule with what went wrong when it was evaluated last, empty if nothing did. Rejects before all were evaluated. */
  rules(): Promise<{ readonly name: string; readonly error: string }[]>
  /** The values of a label among the series of a selector, in order. */
  labelValues(selector: string, label: string): Promise<string[]>
}

interface Answer {
  readonly status: 'success' | 'error'
  readonly error?: string
  readonly data: unknown
}

/** A scrape that takes longer counts as failed. */
const SCRAPE_INTERVAL = '200ms'

/**
 * A real Prometheus that scrapes these targets, five times a second, and evaluates groups of rules, each second. Resolves when it has
 * scraped every target.
 */
export async function startPrometheus(
  targets: readonly ScrapeTarget[],
  groups: unknown = [],
): Promise<TestPrometheus> {
  const dir = await mkdtemp(join(tmpdir(), 'roomcast-prometheus-'))
  const port = await freePort()
  const config = {
    global: {
      scrape_interval: SCRAPE_INTERVAL,
      scrape_timeout: SCRAPE_INTERVAL,
      evaluation_interval: '1s',
    },
    rule_files: ['rules.yml'],
    scrape_configs: [
      {
        job_name: 'pods',
        static_configs: targets.map(({ url, labels }) => ({
          targets: [new URL(url).host],
          labels,
        })),
      },
    ],
  }
  const file = join(dir, 'prometheus.yml')
  await writeFile(file, stringify(config))
  await writeFile(join(dir, 'rules.yml'), stringify({ groups }))
  const prometheus = startProcess('prometheus', [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(dir, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=warn',
  ])
  const url = `http://127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    await prometheus[Symbol.asyncDispose]()
    await rm(dir, { recursive: true, force: true })
  }
  const ask = async <T>(path: string, parameters: Record<string, string>): Promise<T> => {
    const query = new URLSearchParams(parameters).toString()
    const answer = (await (await fetch(`${url}/api/v1/${path}?${query}`)).json()) as Answer
    if (answer.status === 'error') throw new Error(`${answer.error}: ${query}`)
    return answer.data as T
  }
  const query = async (expr: string): Promise<Series[]> => {
    const { result } = await ask<{
      result: { metric: Record<string, string>; value: [number, string] }[]
    }>('query', { query: expr })
    return result.map(({ metric, value: [, value] }) => ({ labels: metric, value: Number(value) }))
  }
  try {
    await until('a Prometheus that has scraped every target', async () => {
      if (prometheus.child.exitCode !== null) {
        throw new Error(`prometheus ended:\n${prometheus.output()}`)
      }
      // Nobody listens yet, or it still reads its log.
      const [up] = await query('sum(up)').catch(() => [])
      return up?.value === targets.length
    })
  } catch (error) {
    await stop()
    throw error
  }
  return {
    query,
    rules: async () => {
      const { groups } = await ask<{
        groups: { rules: { name: string; health: string; lastError?: string }[] }[]
      }>('rules', {})
      const rules = groups.flatMap((group) => group.rules)
      if (rules.some(({ health }) => health === 'unknown')) throw new Error('not evaluated yet')
      return rules.map(({ name, lastError = '' }) => ({ name, error: lastError }))
    },
    labelValues: (selector, label) =>
      ask(`label/${encodeURIComponent(label)}/values`, { 'match[]': selector }),
    [Symbol.asyncDispose]: stop,
  }
}
