import { afterEach, expect, it } from '@jest/globals'
import { Closer, isMeasured, serveHealth, startTelemetry, type Telemetry } from '@roomcast/runtime'

let closer = new Closer()
afterEach(async () => {
  await closer.close()
  closer = new Closer()
})

async function pageOf(telemetry: Telemetry): Promise<{ status: number; text: string }> {
  const health = await serveHealth(
    { host: '127.0.0.1', port: 0 },
    { telemetry, notReadyBecause: () => undefined },
  )
  closer.add(() => telemetry.close())
  closer.add(() => health.close())
  const response = await fetch(`http://127.0.0.1:${health.port}/metrics`)
  return { status: response.status, text: await response.text() }
}

it('without the set-up a service works, and its page of metrics says what is missing', async () => {
  expect(isMeasured()).toBe(false)
  const telemetry = startTelemetry('test', '1.0.0')
  telemetry.meter.createCounter('test').add(1)
  expect(telemetry.tracer).toBeUndefined()
  const { status, text } = await pageOf(telemetry)
  expect(status).toBe(503)
  expect(text).toMatch(/--import @roomcast\/runtime\/instrument/)
})

it('services of one process have figures of their own', async () => {
  await import('@roomcast/runtime/instrument')
  expect(isMeasured()).toBe(true)
  const services = [1, 2].map((said) => {
    const telemetry = startTelemetry('gateway', '1.0.0')
    telemetry.meter.createCounter('said').add(said)
    return telemetry
  })
  const pages = await Promise.all(services.map(pageOf))
  expect(pages.map(({ text }) => /^said_total (\d)$/m.exec(text)?.[1])).toEqual(['1', '2'])
  for (const { text } of pages) expect(text).toMatch(/^process_resident_memory_bytes \d+$/m)
})
