import { describe, expect, it } from '@jest/globals'

interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}
interface Results {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}
interface Run {
  readonly status: number | string
  readonly isLate: boolean
  readonly results: Results | undefined
}
interface TestCommand {
  judge(name: string, run: Run): { readonly counts: Counts; readonly fault?: string }
  countsLine(counts: Counts): string
  inOrder(projects: readonly string[]): string[]
  documentedVariables(markdown: string): string[]
}
// Plain JavaScript: it has no types of its own.
const file: string = '../test.mjs'
const { judge, countsLine, inOrder, documentedVariables } = (await import(file)) as TestCommand

const results = (passed: number, failed: number, files: Results['testResults'] = []): Results => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: 2,
  numTodoTests: 1,
  testResults: files,
})
const FAILED_TEST = { status: 'failed', assertionResults: [{ status: 'failed' }] }
const BROKEN_FILE = { status: 'failed', assertionResults: [{ status: 'passed' }] }

describe('the counts of a run', () => {
  it.each<[string, Run, Counts, string | undefined]>([
    [
      'that is green',
      { status: 0, isLate: false, results: results(3, 0) },
      { passed: 3, failed: 0, skipped: 3 },
      undefined,
    ],
    [
      'with a failed test and a file that broke outside of its tests',
      { status: 1, isLate: false, results: results(3, 1, [FAILED_TEST, BROKEN_FILE]) },
      { passed: 3, failed: 2, skipped: 3 },
      undefined,
    ],
    [
      'that left no results',
      { status: 'SIGSEGV', isLate: false, results: undefined },
      { passed: 0, failed: 1, skipped: 0 },
      'unit: ended with SIGSEGV and left no results',
    ],
    [
      'that failed without a failed test',
      { status: 1, isLate: false, results: results(3, 0) },
      { passed: 3, failed: 1, skipped: 3 },
      'unit: ended with 1 although no test failed',
    ],
    [
      'that did not end',
      { status: 'SIGTERM', isLate: true, results: results(3, 0) },
      { passed: 3, failed: 1, skipped: 3 },
      'unit: did not end within 600 s and was killed',
    ],
  ])('%s', (_, run, counts, fault) => {
    expect(judge('unit', run)).toEqual(fault === undefined ? { counts } : { counts, fault })
  })

  it('are said in one line, which is silent about skipped tests when there are none', () => {
    expect(countsLine({ passed: 12, failed: 1, skipped: 0 })).toBe('12 passed, 1 failed')
    expect(countsLine({ passed: 12, failed: 0, skipped: 3 })).toBe('12 passed, 0 failed, 3 skipped')
  })
})

it('runs every project that needs no cluster, those that it does not know last', () => {
  const inTheirOrder = ['unit', 'integration', 'browser', 'new']
  expect(inOrder(['new', 'e2e', 'browser', 'integration', 'unit'])).toEqual(inTheirOrder)
})

it('reads the documented variables', () => {
  const page = '| Variable | Default |\n| --- | --- |\n| `PORT` | `8080` |\n| `REDIS_URL` | x |\n'
  expect(documentedVariables(page)).toEqual(['PORT', 'REDIS_URL'])
})
