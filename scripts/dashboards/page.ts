import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
  type Dashboard,
  type Panel,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DATASOURCE } from './panels.ts'
import { NAMESPACES, podsOf, RELEASES, type Pods } from './queries.ts'

/** Every dashboard has it, and links to all that have it. */
const TAG = 'roomcast'

export interface Row {
  readonly title: string
  /** From left to right; the widths of those beside each other add up to 24. */
  readonly panels: readonly Builder<Panel>[]
}

interface Page {
  /** Ends the name of the dashboard, its address, and its file. */
  readonly name: string
  readonly title: string
  readonly description: string
  /** Whose pods can be chosen, where that is of use: panels have to say so by `CHOSEN`. */
  readonly pods?: Pods
  readonly rows: readonly Row[]
}

function variable(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
}

/** A dashboard of a release, with links to the others that keep what is chosen. */
export function page({ name, title, description, pods, rows }: Page): Dashboard {
  const builder = new DashboardBuilder(title)
    .uid(`roomcast-${name}`)
    .description(description)
    .tags([TAG])
    .editable()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .link(
      new DashboardLinkBuilder('Roomcast')
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .includeVars(true)
        .keepTime(true),
    )
    .withVariable(
      new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    )
    .withVariable(variable('namespace', 'Namespace', NAMESPACES))
    .withVariable(
      variable('release', 'Release', RELEASES.query)
        .description('What the names of its pods begin with.')
        .regex(RELEASES.regex),
    )
  if (pods !== undefined) {
    builder.withVariable(
      variable('pod', 'Pod', podsOf(pods))
        .multi(true)
        .includeAll(true)
        .allValue('.*')
        .current({ text: 'All', value: '$__all' }),
    )
  }
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title))
    for (const panel of row.panels) builder.withPanel(panel)
  }
  const dashboard = builder.build()
  // Grafana would give other numbers each time, and links to single panels would break.
  dashboard.panels?.forEach((panel, i) => {
    panel.id = i + 1
  })
  return dashboard
}
