import { describe, expect, it } from '@jest/globals'
import { queriesOf, readDashboards } from '../support/dashboard.ts'
import { at, find, findHelms, run } from './helm.ts'

const dashboards = await readDashboards()

/** What begins each selector: labels that every way of scraping sets. Labels of the metrics themselves may follow. */
const SELECTOR =
  /^namespace="\$namespace", pod=~"\$release-(gateway|broker|presence|\(gateway\|broker\|presence\))-\S+"(, (pod|code|reason|result)=~?"[^"]+")*$/
/** The series by which Prometheus shows its alerts have the labels that the chart gives these. */
const ALERTS = /^namespace="\$namespace", release="\$release", alertname=/

it('the dashboards follow from scripts/dashboards', async () => {
  await run(process.execPath, [
    '--conditions=source',
    '--disable-warning=ExperimentalWarning',
    'scripts/dashboards/generate.ts',
    '--check',
  ])
})

describe.each(dashboards)('$file', (dashboard) => {
  const panels = dashboard.panels.filter(({ type }) => type !== 'row')

  it('tells of every panel what it shows, in which unit, and by which names', () => {
    for (const { title, description = '', fieldConfig, targets = [] } of panels) {
      expect({ title, description, unit: fieldConfig?.defaults.unit }).toEqual({
        title: expect.stringMatching(/\S/),
        description: expect.stringMatching(/\S.*\.$/),
        unit: expect.stringMatching(/^(short|cps|s|bytes|percentunit)$/),
      })
      expect(targets.length).toBeGreaterThan(0)
      for (const { legendFormat } of targets) expect(legendFormat).toMatch(/\S/)
    }
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length)
  })

  it('reads from the data source that is chosen', () => {
    const chosen = { type: 'prometheus', uid: '${datasource}' }
    for (const { datasource, targets = [] } of panels) {
      expect([datasource, ...targets.map((target) => target.datasource)]).toEqual(
        Array.from({ length: 1 + targets.length }, () => chosen),
      )
    }
    expect(dashboard.variables.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'datasource datasource',
      'namespace query',
      'release query',
      ...(dashboard.text.includes('$pod') ? ['pod query'] : []),
    ])
  })

  it('picks every series by namespace and pod, which both ways of scraping set', () => {
    for (const { expr } of queriesOf(dashboard)) {
      const selectors = [...expr.matchAll(/(\w+)\{([^}]*)\}/g)]
      expect(selectors.length).toBeGreaterThan(0)
      for (const [, metric, inner] of selectors)
        expect(inner).toMatch(metric === 'ALERTS' ? ALERTS : SELECTOR)
    }
  })

  it('leads to the others, and keeps what is chosen', () => {
    const { tags, links } = JSON.parse(dashboard.text) as { tags: string[]; links: object[] }
    expect(tags).toEqual(['roomcast'])
    expect(links).toEqual([
      expect.objectContaining({ type: 'dashboards', tags, includeVars: true, keepTime: true }),
    ])
  })

  it('has its panels beside and below each other, each with a number of its own', () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) => {
      expect(x + w).toBeLessThanOrEqual(24)
      return Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`)
    })
    expect(new Set(cells).size).toBe(cells.length)
    const height = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h))
    expect(cells).toHaveLength(24 * height)
    const ids = dashboard.panels.map(({ id }) => id)
    expect(ids).toEqual(ids.map((_, i) => i + 1))
  })
})

describe.each(await findHelms())('with $name', (helm) => {
  const configMapOf = async (values: Record<string, unknown>) =>
    find(
      await helm.render({ metrics: { dashboards: { enabled: true, ...values } } }),
      'ConfigMap',
      'dashboards',
    )

  it('there are no dashboards unless they are asked for', async () => {
    expect((await helm.render()).filter(({ kind }) => kind === 'ConfigMap')).toEqual([])
  })

  it('a ConfigMap has the dashboards as they are, and what the sidecar of Grafana looks for', async () => {
    const configMap = await configMapOf({})
    expect(configMap.metadata.labels).toMatchObject({
      grafana_dashboard: '1',
      'app.kubernetes.io/instance': 'chat',
    })
    expect(configMap.metadata.annotations).toEqual({ grafana_folder: 'Roomcast' })
    expect(at(configMap, 'data')).toEqual(
      Object.fromEntries(dashboards.map(({ file, text }) => [file, text])),
    )
  })

  it('label, folder and annotations are those that another sidecar looks for', async () => {
    const other = await configMapOf({
      label: 'dashboards',
      labelValue: 'yes',
      folder: 'Chat',
      folderAnnotation: 'k8s-sidecar-target-directory',
      annotations: { team: 'chat' },
    })
    expect(other.metadata.labels).toMatchObject({ dashboards: 'yes' })
    expect(other.metadata.labels).not.toHaveProperty('grafana_dashboard')
    expect(other.metadata.annotations).toEqual({
      'k8s-sidecar-target-directory': 'Chat',
      team: 'chat',
    })
    expect((await configMapOf({ folder: '' })).metadata.annotations).toBeUndefined()
  })
})
