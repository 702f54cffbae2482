import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { RoomId } from '@roomcast/protocol'
import { createLog, startTelemetry } from '@roomcast/runtime'
import { startProcess, until } from '../../../../test/support/processes.ts'
import { freePort } from '../../../../test/support/redis.ts'
import { createBackend, type Question } from '../../src/hooks/backend.ts'
import { createHookFacts } from '../../src/hooks/hook-facts.ts'
import { parseHookSecrets } from '../../src/hooks/signature.ts'

const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`

it('the backend of docs/hooks.md runs as it stands there, and knows who asks', async () => {
  const page = await readFile(new URL('../../../../docs/hooks.md', import.meta.url), 'utf8')
  const code = /^```js\n([^]*?)^```$/m.exec(page)?.[1] ?? ''
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'roomcast-'))
  stack.defer(() => rm(directory, { recursive: true }))
  const file = join(directory, 'backend.mjs')
  await writeFile(file, code)
  const url = `http://127.0.0.1:${await freePort()}`
  stack.use(
    startProcess(process.execPath, [file], {
      cwd: directory,
      env: { PORT: new URL(url).port, HOOK_SECRET: SECRET },
    }),
  )
  await until('the backend', () =>
    fetch(url, { method: 'POST' }).then(
      () => true,
      () => false,
    ),
  )

  const telemetry = startTelemetry('gateway', 'test')
  stack.defer(() => telemetry.close())
  const facts = createHookFacts({ telemetry, hooks: ['say'], log: createLog('test', 'silent') })
  const signedBy = (secret: string, now: () => number) => {
    const backend = createBackend({
      hook: 'say',
      url,
      gateway: 'g',
      secrets: () => parseHookSecrets(secret),
      timeoutMs: 10_000,
      concurrency: 1,
      queueMax: 1,
      answerMaxBytes: 10_000,
      facts,
      now,
      clock: () => performance.now(),
    })
    stack.defer(() => backend.close())
    const question = {
      event: 'say',
      room: RoomId.parse('lobby'),
      name: 'x',
      address: undefined,
    } as const
    return (more: Pick<Question, 'user' | 'text'>) =>
      backend.ask({ ...question, ...more }, ({ text }) => text)
  }
  const ask = signedBy(SECRET, Date.now)
  expect(await ask({ user: 'alice', text: 'hi' })).toEqual({ kind: 'allow' })
  expect(await ask({ user: 'alice', text: 'darn it' })).toEqual({
    kind: 'rewrite',
    rewrite: 'd*** it',
  })
  expect(await ask({ user: 'mallory', text: 'hi' })).toEqual({
    kind: 'deny',
    reason: 'you are banned',
  })
  const other = `whsec_${Buffer.alloc(32, 6).toString('base64')}`
  const refused = { kind: 'none', why: 'failed' }
  expect(await signedBy(other, Date.now)({ user: 'alice', text: 'hi' })).toEqual(refused)
  const both = signedBy(`${other}\n${SECRET}`, Date.now)
  expect(await both({ user: 'alice', text: 'hi' })).toEqual({ kind: 'allow' })
  const late = signedBy(SECRET, () => Date.now() - 600_000)
  expect(await late({ user: 'alice', text: 'hi' })).toEqual(refused)
})
