import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../../charts/roomcast/dashboards/', import.meta.url))

export interface DashboardPanel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly datasource?: unknown
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
  readonly targets?: readonly {
    readonly refId: string
    readonly expr: string
    readonly legendFormat: string
    readonly datasource: unknown
  }[]
}

export interface DashboardVariable {
  readonly name: string
  readonly type: string
  readonly query: string
  readonly regex?: string
}

export interface TestDashboard {
  readonly file: string
  /** The file as it is. */
  readonly text: string
  readonly uid: string
  readonly panels: readonly DashboardPanel[]
  readonly variables: readonly DashboardVariable[]
}

/** The dashboards that the chart ships. */
export async function readDashboards(): Promise<TestDashboard[]> {
  const files = (await readdir(FOLDER)).sort()
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(`${FOLDER}${file}`, 'utf8')
      const { uid, panels, templating } = JSON.parse(text) as {
        uid: string
        panels: DashboardPanel[]
        templating: { list: DashboardVariable[] }
      }
      return { file, text, uid, panels, variables: templating.list }
    }),
  )
}

/** Every query with the title of its panel and its legend. */
export function queriesOf(dashboard: TestDashboard): { name: string; expr: string }[] {
  return dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({ name: `${title}: ${legendFormat}`, expr })),
  )
}

/** A text with values in place of variables, as Grafana puts them there. Throws for a variable that has none. */
export function interpolate(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$(\w+)/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`$${name} has no value in ${text}`)
    return value
  })
}
