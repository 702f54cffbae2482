import { describe, expect, it } from '@jest/globals'
import { drawBars } from '../bench/bar-chart.ts'
import { chartsOf } from '../bench/charts.ts'
import { mergeRows } from '../bench/record.ts'
import { spread, type Row } from '../bench/row.ts'
import { tableOf, withTable } from '../bench/table.ts'

const row: Row = {
  id: 'memory',
  what: 'memory of a connection',
  measured: 'roomcast 8.0 KB, stock 16.0 KB',
  target: 'at most 10 KB',
  isMet: true,
  figures: {
    roomcast: { bytesEach: spread([7_000, 8_000, 9_000]) },
    'stock <sharded>': { bytesEach: spread([16_000]) },
  },
  notes: ['the machine was busy'],
}
const machine = {
  node: 'v24.0.0',
  cores: 2,
  cpu: 'one',
  isPinned: true,
  isQuick: false,
  rounds: 3,
  v8: 'max-semi-space-size=4',
  seconds: 1,
}

describe('spread', () => {
  it('keeps the median, the ends and each round', () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, lowest: 1, highest: 3, rounds: [3, 1, 2] })
  })
})

describe('a record', () => {
  it('has the latest of each row, in the old places', () => {
    const [old, other, again] = [row, { ...row, id: 'other' }, { ...row, measured: 'less' }]
    expect(mergeRows([old, other], [again])).toEqual([again, other])
    expect(mergeRows([old], [other])).toEqual([old, other])
  })
})

describe('the charts', () => {
  it('draw bars in proportion, their range, and names as text', () => {
    const chart = chartsOf([row]).get('bench-memory.svg')
    if (chart === undefined) throw new Error('no chart')
    const svg = drawBars(chart)
    const widths = [...svg.matchAll(/<rect class="c\d" x="190" y="\d+" width="([\d.]+)"/g)].map(
      ([, width]) => Number(width),
    )
    // The legend's first mark has the same place, and a width of its own.
    expect(widths).toEqual([12, 210, 420])
    expect(svg).toContain('Socket.IO &lt;sharded&gt;')
    expect(svg).toContain('prefers-color-scheme:dark')
    expect(svg).not.toContain('NaN')
  })

  it('leave out what was not measured', () => {
    expect([...chartsOf([row]).keys()]).toEqual(['bench-memory.svg'])
  })
})

describe('the table', () => {
  it('takes the place of the one before', () => {
    const page = 'before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n'
    const once = withTable(page, tableOf(machine, [row]))
    expect(once).toContain(
      '| memory of a connection | roomcast 8.0 KB, stock 16.0 KB | at most 10 KB | met |',
    )
    expect(once).toContain('- the machine was busy (every row)')
    expect(once).not.toContain('old')
    expect(withTable(once, tableOf(machine, [row]))).toBe(once)
    expect(() => withTable('a page without marks', '')).toThrow('has no <!-- bench -->')
  })
})
