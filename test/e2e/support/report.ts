/** Prints what a scenario measured, one line for each, whatever the reporter of the tests shows. */
export function report(scenario: string, ...facts: readonly string[]): void {
  for (const fact of facts) process.stdout.write(`e2e  ${scenario}: ${fact}\n`)
}

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

/** Resolves with what the work returns, and with how long it took in milliseconds. */
export async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const started = performance.now()
  const result = await work()
  return [result, performance.now() - started]
}
