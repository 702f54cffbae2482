import { expect, it } from '@jest/globals'
import { parseKeys } from '@roomcast/runtime'
import { Scene } from './replicas.ts'

it.each([
  ['/', 'text/html'],
  ['/static/dashboard/main.js', '/javascript'],
  ['/static/dashboard/dashboard.css', 'text/css'],
  ['/static/uplot/uPlot.iife.min.js', '/javascript'],
  ['/static/uplot/uPlot.min.css', 'text/css'],
  ['/favicon.ico', 'image/svg+xml'],
])('serves %s, and lets nothing in from elsewhere', async (path, type) => {
  await using scene = new Scene()
  const { url } = await scene.presence({ apiKeys: parseKeys('a-key-of-the-team') })
  const response = await fetch(url + path)
  await response.arrayBuffer()
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    expect.stringContaining(type),
  ])
  const policy = response.headers.get('content-security-policy') ?? ''
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("script-src 'self'")
  expect(policy).not.toMatch(/unsafe|https?:|\*/)
})

it.each(['/static/dashboard/../package.json', '/static/uplot/uPlot.d.ts', '/static/nothing'])(
  'serves nothing at %s',
  async (path) => {
    await using scene = new Scene()
    const { url } = await scene.presence()
    const response = await fetch(url + path)
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toContain('application/problem+json')
    await response.arrayBuffer()
  },
)
