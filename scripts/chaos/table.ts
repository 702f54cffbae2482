import type { ResultRow } from '../scorecard/result.ts'
import type { Violation } from './checks.ts'
import { FAULT_KINDS, isKill } from './faults.ts'
import type { ChaosResult } from './run.ts'

/** Violations of one kind that are printed in full; of the others the number. */
const SHOWN_PER_KIND = 5

/** The kills among the faults that took place. */
export function killsOf(results: readonly ChaosResult[]): number {
  return results
    .flatMap(({ outcomes }) => outcomes)
    .filter(({ fault, result }) => result === 'done' && isKill(fault.kind)).length
}

/** What all runs came to. */
export function resultOf(results: readonly ChaosResult[]): ResultRow {
  const total = (of: (result: ChaosResult) => number): number =>
    results.reduce((sum, result) => sum + of(result), 0)
  const faults = total(({ outcomes }) => outcomes.filter(({ result }) => result === 'done').length)
  const violations = total((result) => result.violations.length)
  return {
    id: 'chaos',
    what: 'chaos: random kills, stops and drains of every part under traffic',
    measured: [
      `${results.length} runs from seed ${results[0]?.seed} with ${results[0]?.clients} members: ${faults} faults, ${killsOf(results)} of them kills`,
      `${total(({ acknowledged }) => acknowledged)} acknowledged and ${total(({ received }) => received)} received`,
      `${total(({ experiences }) => experiences.disconnects)} connections lost, ${total(({ experiences }) => experiences.recovered)} recovered, ${total(({ experiences }) => experiences.told)} told that they are not`,
      `${violations} violations`,
    ].join('; '),
    target: 'nothing lost, doubled, out of order or not recovered; counts right',
    isMet: violations === 0,
  }
}

/** The faults of all runs by kind, and then one line a run with what came of them. */
export function table(results: readonly ChaosResult[]): string {
  const all = results.flatMap(({ outcomes }) => outcomes)
  const faults = FAULT_KINDS.map((kind) => {
    const done = all.filter(({ fault, result }) => fault.kind === kind && result === 'done')
    const longest = Math.max(0, ...done.map(({ tookMs }) => tookMs))
    return [kind, String(done.length), `${(longest / 1_000).toFixed(1)} s`]
  })
  const runs = results.map((result) => {
    const { seed, clients, acknowledged, received, experiences, violations, countsTookMs } = result
    const { disconnects, recovered, told, refused, unanswered } = experiences
    return [
      seed,
      result.outcomes.filter(({ result: outcome }) => outcome === 'done').length,
      killsOf([result]),
      clients,
      acknowledged,
      received,
      disconnects,
      recovered,
      told,
      refused + unanswered,
      `${(countsTookMs / 1_000).toFixed(1)} s`,
      violations.length,
    ].map(String)
  })
  const losses = Map.groupBy(
    results.flatMap((result) => result.losses),
    ({ reason }) => reason,
  )
  const reasons = [...losses].map(([reason, list]) => {
    const within = list.filter(({ isWithinLimits }) => isWithinLimits).length
    return [reason, String(list.length - within), String(within)]
  })
  return [
    grid([['fault', 'times', 'longest until well'], ...faults]),
    grid([
      [
        'seed',
        'faults',
        'kills',
        'members',
        'acknowledged',
        'received',
        'disconnects',
        'recovered',
        'told',
        'repeated',
        'counts right after',
        'violations',
      ],
      ...runs,
    ]),
    reasons.length === 0
      ? 'everybody who came back was recovered'
      : grid([['not recovered because', 'beyond the limits', 'within the limits'], ...reasons]),
  ].join('\n\n')
}

/** What was violated, a few of each kind in full. */
export function violationLines(run: string, violations: readonly Violation[]): readonly string[] {
  const byKind = Map.groupBy(violations, ({ kind }: Violation) => kind)
  return [...byKind].flatMap(([kind, list]) => [
    `${run}: ${kind}: ${list.length}`,
    ...list.slice(0, SHOWN_PER_KIND).map(({ where, detail }) => `  ${where}: ${detail}`),
  ])
}

/** Rows in columns: the first one to the left, numbers to the right. */
function grid(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  '),
    )
    .join('\n')
}
