import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import {
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type Panel,
} from '@grafana/grafana-foundation-sdk/dashboard'
import {
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  HeatmapColorScale,
  HeatmapTooltipBuilder,
  PanelBuilder as HeatmapBuilder,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap'
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table'
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries'

export const DATASOURCE = { type: 'prometheus', uid: '${datasource}' } as const

/** Units as Grafana calls them: a plain number, things a second, seconds, bytes, a share of 1. */
export type Unit = 'short' | 'cps' | 's' | 'bytes' | 'percentunit'

/** Grafana's grid is 24 wide. */
const HEIGHT = 8
/** Of a panel that is one number. */
const FIGURE_HEIGHT = 4

export interface Query {
  readonly expr: string
  /** The name of its series; `{{label}}` stands for a label's value. */
  readonly legend: string
}

export interface PanelSpec {
  readonly title: string
  readonly description: string
  readonly unit: Unit
  /** Of 24. */
  readonly width: number
  readonly queries: readonly Query[]
}

interface TimeseriesSpec extends PanelSpec {
  /** Series add up to something, and are drawn on top of each other. */
  readonly isStacked?: boolean
}

interface FigureSpec extends PanelSpec {
  /** From which value on it is green, yellow or red; the first is what it is below all of them. Without it the value has no colour. */
  readonly colours?: readonly [Colour, ...(readonly [number, Colour])[]]
  /** It shows the names of its series instead of their values. */
  readonly isByName?: boolean
}

type Colour = 'green' | 'yellow' | 'red'

/** Builders of all kinds of panels have these. */
interface CommonBuilder {
  title(title: string): this
  description(description: string): this
  unit(unit: string): this
  span(width: number): this
  height(height: number): this
  datasource(datasource: typeof DATASOURCE): this
  withTarget(target: DataqueryBuilder): this
}

function common<T extends CommonBuilder>(
  builder: T,
  { title, description, unit, width, queries }: PanelSpec,
  adapt: (query: DataqueryBuilder) => DataqueryBuilder,
): T {
  builder
    .title(title)
    .description(description)
    .unit(unit)
    .span(width)
    .height(HEIGHT)
    .datasource(DATASOURCE)
  queries.forEach(({ expr, legend }, i) => {
    const query = new DataqueryBuilder()
      .refId(String.fromCodePoint('A'.charCodeAt(0) + i))
      .datasource(DATASOURCE)
      .expr(expr)
      .legendFormat(legend)
    builder.withTarget(adapt(query))
  })
  return builder
}

/** One number, as it is now, over its course. */
export function figure({ colours, isByName = false, ...spec }: FigureSpec): Builder<Panel> {
  const builder = common(new StatBuilder(), spec, (query) => query.range())
    .height(FIGURE_HEIGHT)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .graphMode(isByName ? BigValueGraphMode.None : BigValueGraphMode.Area)
    .textMode(isByName ? BigValueTextMode.Name : BigValueTextMode.Auto)
  if (colours === undefined) return builder.colorMode(BigValueColorMode.None)
  const [lowest, ...steps] = colours
  return builder.colorMode(BigValueColorMode.Background).thresholds(
    new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([
      // Grafana's way to say: from the least value on.
      { value: null, color: lowest },
      ...steps.map(([value, color]) => ({ value, color })),
    ]),
  )
}

/** Lines over time, with the last and the highest value of each beside its name. */
export function lines({ isStacked = false, ...spec }: TimeseriesSpec): Builder<Panel> {
  const builder = common(new TimeseriesBuilder(), spec, (query) => query.range())
    .min(0)
    .fillOpacity(isStacked ? 30 : 10)
    .showPoints(VisibilityMode.Never)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['lastNotNull', 'max']),
    )
    .tooltip(
      new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending),
    )
  return isStacked
    ? builder.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
    : builder
}

/** The buckets of a histogram over time. */
export function heatmap(spec: PanelSpec): Builder<Panel> {
  return common(new HeatmapBuilder(), spec, (query) =>
    query.range().format(PromQueryFormat.Heatmap),
  )
    .calculate(false)
    .yAxis(new YAxisConfigBuilder().unit(spec.unit))
    .color(
      new HeatmapColorOptionsBuilder()
        .mode(HeatmapColorMode.Scheme)
        .scheme('Oranges')
        .scale(HeatmapColorScale.Exponential)
        .exponent(0.5)
        .steps(64),
    )
    .tooltip(new HeatmapTooltipBuilder().mode(TooltipDisplayMode.Single).yHistogram(true))
}

/** The labels of series as they are now, a row for each. */
export function table(spec: PanelSpec): Builder<Panel> {
  return common(new TableBuilder(), spec, (query) => query.instant().format(PromQueryFormat.Table))
}
