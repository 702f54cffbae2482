import type { Run } from './machine.ts'
import type { Row } from './row.ts'

const BEGIN = '<!-- bench -->'
const END = '<!-- /bench -->'

/** What was measured as Markdown. */
export function tableOf(run: Run, rows: readonly Row[]): string {
  const { node, cores, cpu, rounds, isPinned, v8, isQuick } = run
  const how = [
    `Node ${node.slice(1)} on ${cores} cores (${cpu})`,
    isPinned ? 'servers pinned to one of them' : 'nothing pinned',
    `medians of ${rounds} rounds${isQuick ? ' of the quick form' : ''}`,
    ...(v8 === '' ? [] : [`Roomcast with \`--${v8.replaceAll(',', '` and `--')}\``]),
  ]
  const notes = [...new Set(rows.flatMap((row) => row.notes))].map((note) => {
    const concerned = rows.filter((row) => row.notes.includes(note)).map(({ what }) => what)
    return `- ${note} (${concerned.length === rows.length ? 'every row' : concerned.join('; ')})`
  })
  return [
    `${how.join(', ')}.`,
    '',
    '| What | Measured | Target | |',
    '| - | - | - | - |',
    ...rows.map(
      ({ what, measured, target, isMet }) =>
        `| ${what} | ${measured} | ${target} | ${isMet ? 'met' : 'missed'} |`,
    ),
    ...(notes.length === 0 ? [] : ['', 'What the benchmark noticed:', '', ...notes]),
  ].join('\n')
}

/** The page with another result between its marks. Throws when it has none. */
export function withTable(page: string, table: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin === -1 || end < begin) throw new Error(`the page has no ${BEGIN} … ${END}`)
  return `${page.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${page.slice(end)}`
}
