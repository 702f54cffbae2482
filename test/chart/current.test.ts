import { readFile } from 'node:fs/promises'
import { describe, expect, it } from '@jest/globals'
import { parse } from 'yaml'
import { CHART, findHelms, ROOT, run } from './helm.ts'

const read = (file: string): Promise<string> => readFile(`${ROOT}/${file}`, 'utf8')

it('the README and the schema follow from values.yaml and from the settings of the services', async () => {
  await run(process.execPath, [
    '--conditions=source',
    '--disable-warning=ExperimentalWarning',
    'scripts/generate-chart-docs.ts',
    '--check',
  ])
})

it('the plain manifests follow from the chart', async () => {
  await run('scripts/render-manifests.sh', ['--check'])
})

it('the scripts for clusters are well-formed and say how to be used', async () => {
  for (const script of ['scripts/kind.sh', 'scripts/render-manifests.sh']) {
    await run('bash', ['-n', script])
    await expect(run(script, ['help'])).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining(script),
    })
  }
})

it('the schema and values.yaml know the same keys, and the schema no others', async () => {
  interface Schema {
    readonly $ref?: string
    readonly additionalProperties?: unknown
    readonly properties?: Readonly<Record<string, Schema>>
    readonly definitions?: Readonly<Record<string, Schema>>
  }
  const schema = JSON.parse(await read(`${CHART}/values.schema.json`)) as Schema
  const values = parse(await read(`${CHART}/values.yaml`)) as Record<string, unknown>
  const faults: string[] = []
  const compare = (schema: Schema, value: unknown, path: string): void => {
    if (schema.$ref !== undefined || schema.properties === undefined) return
    if (schema.additionalProperties !== false && path !== '.global') faults.push(`${path} is open`)
    const given = value as Record<string, unknown>
    const keys = new Set([...Object.keys(schema.properties), ...Object.keys(given)])
    for (const key of keys) {
      const inner = schema.properties[key]
      if (inner === undefined) faults.push(`${path}.${key} is not in the schema`)
      else if (!Object.hasOwn(given, key)) faults.push(`${path}.${key} is not in values.yaml`)
      else compare(inner, given[key], `${path}.${key}`)
    }
  }
  compare(schema, values, '')
  expect(faults).toEqual([])
})

it('the chart, its image and the packages have one version', async () => {
  const chart = parse(await read(`${CHART}/Chart.yaml`)) as { version: string; appVersion: string }
  const { version } = JSON.parse(await read('package.json')) as { version: string }
  expect([chart.version, chart.appVersion]).toEqual([version, version])
  expect(await read('Dockerfile')).toContain(`ARG VERSION=${version}\n`)
})

describe.each(await findHelms())('$name', (helm) => {
  it('finds no fault in the chart', async () => {
    await helm.run('lint', '--strict', CHART)
  })

  it.each(['values-aws.yaml', 'values-gke.yaml'])('takes k8s/%s', async (file) => {
    await helm.run('template', 'chat', CHART, '--kube-version', '1.34.0', '--values', `k8s/${file}`)
  })
})
