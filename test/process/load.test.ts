import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import {
  serverCa,
  serverCert,
  serverKey,
} from '../../services/presence/test/kubernetes/certificates.ts'
import { tokenByCommand } from '../../scripts/clients/token-command.ts'
import { mintToken } from '../../services/gateway/src/auth/minting.ts'
import { startDeployment } from '../support/deployment.ts'
import { startProcess, within, type TestProcess } from '../support/processes.ts'

const cwd = fileURLToPath(new URL('../..', import.meta.url))
const LIMIT_MS = 60_000

function startLoad(options: Readonly<Record<string, string>>, env = {}): TestProcess {
  return startProcess(
    process.execPath,
    [
      '--conditions=source',
      '--disable-warning=ExperimentalWarning',
      'scripts/load/load.ts',
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    ],
    { cwd, env: { PATH: process.env['PATH'] ?? '', ...env } },
  )
}

describe('npm run load', () => {
  it(
    'drives members on every transport through the death of a gateway, and finds nothing lost, doubled or out of order',
    async () => {
      const secret = 'a secret that is long enough for a hash'
      await using deployment = await startDeployment({
        gateways: 1,
        env: { AUTH_JWT_SECRET: secret },
      })
      const [first] = deployment.gateways
      await using load = startLoad({
        url: first?.url ?? '',
        connections: '30',
        rooms: '3',
        rate: '60',
        duration: '5',
        transport: 'mixed',
        'jwt-secret': secret,
      })
      await load.printed(/talking: 30 of 30 joined, [1-9]/, LIMIT_MS)
      first?.signal('SIGKILL')
      await first?.ended()
      if (first !== undefined) await deployment.restart(first)
      const status = await within(LIMIT_MS, 'the end of the load', load.ended(LIMIT_MS))
      expect(load.output()).toMatch(/^30 connections broke: 30 recovered/m)
      expect(load.output()).toMatch(/^0 violations$/m)
      expect(status).toBe(0)
    },
    2 * LIMIT_MS,
  )

  it(
    'goes through an entrance that speaks TLS',
    async () => {
      await using deployment = await startDeployment({ gateways: 1 })
      const gateway = Number(new URL(deployment.gateways[0]?.url ?? '').port)
      const entrance = createServer({ cert: serverCert, key: serverKey }, (outer) => {
        const inner = connect(gateway, '127.0.0.1')
        for (const socket of [outer, inner]) {
          // The load breaks its connections when it is done.
          socket.on('error', () => undefined)
          socket.on('close', () => (socket === outer ? inner : outer).destroy())
        }
        outer.pipe(inner).pipe(outer)
      })
      const folder = await mkdtemp(join(tmpdir(), 'roomcast-load-'))
      try {
        const ca = join(folder, 'ca.pem')
        await writeFile(ca, serverCa)
        await once(entrance.listen(0, '127.0.0.1'), 'listening')
        const url = `https://127.0.0.1:${(entrance.address() as AddressInfo).port}`
        await using load = startLoad(
          { url, connections: '6', rooms: '2', rate: '20', duration: '1', transport: 'mixed' },
          { NODE_EXTRA_CA_CERTS: ca },
        )
        expect(await load.ended(LIMIT_MS)).toBe(0)
        expect(load.output()).toMatch(/^said (\d+), acknowledged \1, delivered [1-9]/m)
      } finally {
        entrance.close()
        await rm(folder, { recursive: true, force: true })
      }
    },
    2 * LIMIT_MS,
  )

  it(
    'asks a command for the token of each member, by its name',
    async () => {
      const secret = 'a secret that is long enough for a hash'
      await using deployment = await startDeployment({
        gateways: 1,
        env: { AUTH_JWT_SECRET: secret },
      })
      const folder = await mkdtemp(join(tmpdir(), 'roomcast-load-'))
      try {
        const iat = Math.floor(Date.now() / 1_000)
        for (const sub of ['m0', 'm1', 'm2', 'm3'])
          await writeFile(join(folder, sub), await mintToken(secret, { sub, iat, exp: iat + 600 }))
        const options = {
          url: deployment.gateways[0]?.url ?? '',
          rooms: '2',
          rate: '20',
          duration: '1',
          'token-command': `cat '${folder}'/"$ROOMCAST_USER"`,
        }
        await using load = startLoad({ ...options, connections: '4' })
        expect(await load.ended(LIMIT_MS)).toBe(0)
        expect(load.output()).toMatch(/^said (\d+), acknowledged \1, delivered [1-9]/m)
        await using more = startLoad({ ...options, connections: '5' })
        expect(await more.ended(LIMIT_MS)).toBe(1)
        expect(more.output()).toMatch(/--token-command, for m4: it ended with 1\. .*No such file/)
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
    2 * LIMIT_MS,
  )

  it.each([
    ['takes too long', 'sleep 60', 100, 'no token within 0.1 s'],
    ['prints nothing', 'true', undefined, 'it printed nothing'],
    ['fails', 'echo no key >&2; exit 3', undefined, 'it ended with 3. no key'],
    ['prints without end', 'yes', undefined, 'it ended with ERR_CHILD_PROCESS_STDIO_MAXBUFFER.'],
  ])('says what is wrong with a command for tokens that %s', async (_what, command, ms, why) => {
    await expect(tokenByCommand(command, 'ann', ms)).rejects.toThrow(
      `--token-command, for ann: ${why}`,
    )
  })

  it('names a setting that it can not take and ends with 78', async () => {
    await using load = startLoad({ connections: '20001' })
    expect(await load.ended()).toBe(78)
    expect(load.output()).toBe('--connections takes a whole number from 1 to 20000\n')
  })
})
