import { describe, expect, it } from '@jest/globals'
import * as fc from 'fast-check'
import type { GatewayPod } from '../../src/kubernetes/api.ts'
import { costOf, costsToWrite } from '../../src/kubernetes/deletion-cost.ts'

function pod(name: string, more: Partial<GatewayPod> = {}): GatewayPod {
  return {
    uid: `uid-${name}`,
    name,
    ip: '',
    createdAtMs: 0,
    isTerminating: false,
    isOver: false,
    deletionCost: undefined,
    ...more,
  }
}

function writes(
  pods: GatewayPod[],
  connections: Record<string, number>,
  writtenAtMs: Record<string, number> = {},
): string[] {
  return costsToWrite({
    pods,
    connections: new Map(Object.entries(connections)),
    writtenAtMs: new Map(Object.entries(writtenAtMs)),
    clockMs: 100_000,
  }).map(({ pod, cost }) => `${pod}=${cost}`)
}

describe('what the deletion of a pod costs', () => {
  it.each([
    [0, 0, 0],
    [1, 0, 1],
    [2, 0, 2],
    [3, 2, 2],
    [5_000, 0, 13],
    // Near the edge at 1,024 it stays what it is.
    [1_023, 10, 10],
    [1_100, 10, 10],
    [1_152, 10, 11],
    [1_023, 11, 11],
    [896, 11, 11],
    [895, 11, 10],
    // Somebody else wrote something.
    [100, -5, 7],
    [100, 2_000, 7],
  ])('%i connections, written %i: %i', (connections, current, cost) => {
    expect(costOf(connections, current)).toBe(cost)
  })

  it('settles at once, falls to 0 with the last connection, and orders what differs by half or more', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.integer({ min: -3, max: 24 }), (connections, current) => {
        const cost = costOf(connections, current)
        expect(costOf(connections, cost)).toBe(cost)
        expect(costOf(0, current)).toBe(0)
        const [from, to] = [costOf(connections, current), costOf(3 * connections + 2, current)]
        expect(to).toBeGreaterThan(from)
      }),
    )
  })

  it('does not flap while connections change by less than a tenth', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 100_000 }),
        fc.array(fc.double({ min: 0.95, max: 1.05, noNaN: true }), { maxLength: 50 }),
        (base, factors) => {
          let cost = costOf(base, 0)
          let changes = 0
          for (const factor of factors) {
            const next = costOf(Math.round(base * factor), cost)
            if (next !== cost) changes++
            cost = next
          }
          expect(changes).toBeLessThanOrEqual(1)
        },
      ),
    )
  })
})

describe('the costs to write', () => {
  it('are those that are not true, the furthest off first', () => {
    const pods = [pod('a'), pod('b', { deletionCost: 7 }), pod('c', { deletionCost: 1 }), pod('d')]
    expect(writes(pods, { a: 3, b: 100, c: 1_000, d: 0 })).toEqual(['c=10', 'a=2'])
  })

  it('leave alone what does not report, what leaves, and what was written within a minute', () => {
    const pods = [
      pod('quiet', { deletionCost: 3 }),
      pod('leaving', { isTerminating: true }),
      pod('over', { isOver: true }),
      pod('fresh'),
      pod('rested'),
    ]
    const connections = { leaving: 50, over: 50, fresh: 50, rested: 50 }
    expect(writes(pods, connections, { fresh: 40_001, rested: 40_000 })).toEqual(['rested=6'])
  })

  it('are ten at a time at most', () => {
    const pods = Array.from({ length: 40 }, (_, i) => pod(`p${i}`))
    const connections = Object.fromEntries(pods.map(({ name }) => [name, 9]))
    expect(writes(pods, connections)).toHaveLength(10)
  })
})
