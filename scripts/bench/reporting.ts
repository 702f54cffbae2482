import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { joinRoom, type TestClient } from '../../test/support/clients.ts'
import { startDeployment } from '../../test/support/deployment.ts'
import { busyShare, parseProfile, profileTimeUs } from './cpu-profile.ts'
import { spread, type Row } from './row.ts'

const ROOMS = 500
const ROOM_MEMBERS = 10
/** Members that join at a time. */
const JOINS = 50
const SAYS_PER_SECOND_AND_ROOM = 1
const SAY_INTERVAL_MS = 20
const SETTLE_MS = 3_000
const ROUND_MS = 20_000
const TARGET_PERCENT = 2
const MODULES = ['gateway/src/reporter.ts', 'gateway/src/report-link.ts']

/**
 * What part of a gateway's CPU its reports to presence take while it serves small rooms: by the samples of its profile that have a function
 * of the reporter on their stack.
 */
export async function measureReporting(): Promise<Row> {
  const folder = await mkdtemp(path.join(tmpdir(), 'roomcast-profile-'))
  const clients: TestClient[] = []
  try {
    await using deployment = await startDeployment({
      gateways: 0,
      env: { SAY_RATE_PER_SECOND: '1000000', SAY_BURST: '1000000', LOG_LEVEL: 'warn' },
    })
    const gateway = await deployment.addGateway({
      NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder}`,
    })
    for (let i = 0; i < ROOMS * ROOM_MEMBERS; i += JOINS) {
      const joining = Array.from({ length: JOINS }, (_, at) =>
        joinRoom(gateway.url, `room ${(i + at) % ROOMS}`, `member ${i + at}`),
      )
      clients.push(...(await Promise.all(joining)))
    }
    let said = 0
    let owed = 0
    let lastMs = performance.now()
    const saying = setInterval(() => {
      const nowMs = performance.now()
      owed += (ROOMS * SAYS_PER_SECOND_AND_ROOM * (nowMs - lastMs)) / 1_000
      lastMs = nowMs
      for (; owed >= 1; owed--) {
        clients[said++ % clients.length]?.socket.emit('say', { text: 'x'.repeat(64) })
      }
    }, SAY_INTERVAL_MS)
    // What the joins brought about is over.
    await delay(SETTLE_MS)
    const fromUs = profileTimeUs()
    await delay(ROUND_MS)
    const toUs = profileTimeUs()
    clearInterval(saying)
    gateway.signal('SIGTERM')
    await gateway.ended()
    const [file] = await readdir(folder)
    if (file === undefined) throw new Error('the gateway left no profile')
    const profile = parseProfile(await readFile(path.join(folder, file), 'utf8'))
    const { busyPercent, sharePercent } = busyShare(profile, MODULES, [fromUs, toUs])
    return {
      id: 'reporting',
      what: `reporting, in a gateway with ${ROOMS} rooms of ${ROOM_MEMBERS} at ${SAYS_PER_SECOND_AND_ROOM} message a second each`,
      measured: `${sharePercent.toFixed(2)} % of the gateway's CPU, which was ${busyPercent.toFixed(0)} % of a core`,
      target: `under ${TARGET_PERCENT} %`,
      isMet: sharePercent < TARGET_PERCENT,
      figures: {
        gateway: {
          sharePercent: spread([sharePercent]),
          busyPercent: spread([busyPercent]),
          said: spread([said]),
        },
      },
      notes: [],
    }
  } finally {
    for (const client of clients) client.close()
    await rm(folder, { recursive: true })
  }
}
