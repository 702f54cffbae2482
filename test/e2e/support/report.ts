import { addResults, type ResultRow } from '../../../scripts/scorecard/result.ts'

/** Where results are kept, as a file of docs/results; unset for nowhere. */
const RESULTS = process.env['E2E_RESULTS']

/** Prints what a scenario measured, one line for each, whatever the reporter of the tests shows. */
export function report(scenario: string, ...facts: readonly string[]): void {
  for (const fact of facts) process.stdout.write(`e2e  ${scenario}: ${fact}\n`)
}

/** Prints a result and puts it into the file that `E2E_RESULTS` names: scripts/scorecard makes docs/scorecard.md of it. */
export async function record(result: ResultRow): Promise<void> {
  report(result.what, `${result.measured}${result.isMet ? '' : ` (violated: ${result.target})`}`)
  if (RESULTS !== undefined) await addResults(RESULTS, [result])
}

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

/** Resolves with what the work returns, and with how long it took in milliseconds. */
export async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const started = performance.now()
  const result = await work()
  return [result, performance.now() - started]
}
