import { describe, expect, it } from '@jest/globals'
import { likelyCause, type Health } from '../src/diagnosis.ts'

const ready: Health = { is: 'ready' }
const silent: Health = { is: 'silent' }
const notReady = (reason: string): Health => ({ is: 'not_ready', reason })
const noLog = notReady('the room log was not reached yet')

describe('the likely cause of a failure', () => {
  it.each([
    [
      'Redis',
      { gateway: [noLog, noLog], broker: [noLog], presence: [ready] },
      '2 of 2 gateways, 1 of 1 brokers say “the room log was not reached yet”: Redis can not be reached or refuses the password: their log says which',
    ],
    [
      'a pod that does not run, whatever the others lack',
      { gateway: [noLog], broker: [silent, ready], presence: [ready] },
      '1 of 2 brokers do not run, for want of a Secret, an image or a right setting: kubectl describe pods and their log say why',
    ],
    [
      'the internal token',
      {
        gateway: [notReady('presence has not told the others of this gateway yet')],
        broker: [ready],
        presence: [ready],
      },
      '1 of 1 gateways say “presence has not told the others of this gateway yet”: presence can not be reached or has another internal token: their log says which',
    ],
    [
      'a reason of which nothing is known',
      { gateway: [ready, notReady('full moon')], broker: [ready], presence: [ready] },
      '1 of 2 gateways are not ready: full moon',
    ],
    [
      'services without pods',
      { gateway: [ready], broker: [], presence: [] },
      'there are no brokers, no replicas of presence: kubectl get pods says what became of them',
    ],
    ['none', { gateway: [ready], broker: [ready], presence: [ready] }, undefined],
  ])('%s', (_what, health, cause) => {
    expect(likelyCause(health)).toBe(cause)
  })
})
