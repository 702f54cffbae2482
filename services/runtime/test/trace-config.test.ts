import { describe, expect, it } from '@jest/globals'
import { parseSettings, shownSettings, traceConfig, traceSettings } from '@roomcast/runtime'

const URL = 'https://collector:4318/v1/traces'
const parse = (env: Record<string, string>) => traceConfig(parseSettings(traceSettings, env))

describe('the settings of traces', () => {
  it('turn them on by a URL alone', () => {
    expect(parse({ TRACE_SAMPLE_RATIO: '1', OTLP_HEADERS: 'a=b' })).toBeUndefined()
    expect(parse({ OTLP_TRACES_URL: URL })).toEqual({ url: URL, headers: {}, sampleRatio: 0.01 })
  })

  it('have headers whose values may have equal signs, and a ratio', () => {
    expect(
      parse({
        OTLP_TRACES_URL: URL,
        OTLP_HEADERS: 'authorization=Basic abc==,x-scope=chat',
        TRACE_SAMPLE_RATIO: '.5',
      }),
    ).toEqual({
      url: URL,
      headers: { authorization: 'Basic abc==', 'x-scope': 'chat' },
      sampleRatio: 0.5,
    })
  })

  it.each([
    ['OTLP_TRACES_URL', 'collector:4318'],
    ['OTLP_TRACES_URL', 'ftp://collector/'],
    ['OTLP_HEADERS', 'no value'],
    ['TRACE_SAMPLE_RATIO', '1.1'],
    ['TRACE_SAMPLE_RATIO', '-1'],
    ['TRACE_SAMPLE_RATIO', '1e-3'],
  ])('refuse %s %s by name', (name, value) => {
    expect(() => parse({ [name]: value })).toThrow(new RegExp(`^${name}: must be`))
  })

  it('show no headers', () => {
    const settings = parseSettings(traceSettings, { OTLP_HEADERS: 'authorization=abc' })
    expect(shownSettings(traceSettings, settings)['OTLP_HEADERS']).toBe('***')
  })
})
